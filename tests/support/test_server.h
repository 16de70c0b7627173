// A whole server in the test's process, over both families of addresses, whose books are checked.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <mutex>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "trireme/trireme.h"

namespace support {

namespace tr = trireme;

// What every test of behaviour is run over.
struct Setup {
  tr::Dispatch dispatch;
  tr::DriverKind driver;
  int io_workers;
  bool uring = false;  // instead of `driver`
  tr::Accepting accepting = tr::Accepting::kListener;
};

std::string name_of(const ::testing::TestParamInfo<Setup>& info);
void PrintTo(const Setup& setup, std::ostream* out);  // found by GoogleTest
// For parameters of tests: every setup, those where handlers may block, and those with one kind of
// dispatch and a driver whose loops may change hands. io_uring only where the system allows it.
std::vector<Setup> every_setup();
std::vector<Setup> blocking_setups();
bool has_uring();
std::vector<Setup> setups_of(tr::Dispatch dispatch);

tr::ServerOptions options_of(const Setup& setup);

class ServerTest : public ::testing::TestWithParam<Setup> {
 protected:
  ServerTest();  // its setup says how every TestServer accepts, until the test ends
  ~ServerTest() override;
  tr::ServerOptions options() const { return options_of(GetParam()); }
};

// Use: construct, listen() or serve(), start(). The destructor drains, expects that no handler is
// stuck unless the test has drained itself, and that the books balance.
class TestServer {
 public:
  explicit TestServer(tr::ServerOptions options);
  ~TestServer();
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;

  template <class F>
  void listen(F handler, tr::ListenOptions options = {},
              std::shared_ptr<const tr::Codec> codec = tr::lines()) {
    for (const char* url : urls_for(options)) server_->listen(url, codec, handler, options);
  }
  template <class S, class... Shared>
  void serve(tr::ListenOptions options, Shared&... shared) {
    for (const char* url : urls_for(options))
      server_->serve<S>(url, tr::lines(), options, shared...);
  }
  void start();

  std::string url() const { return server_->urls()[0]; }
  std::string url6() const { return server_->urls()[1]; }  // of IPv6
  tr::Stats stats() const { return server_->stats(); }
  uint64_t closed(tr::CloseReason reason) const {
    return stats().closed_by_reason[static_cast<size_t>(reason)];
  }
  std::vector<tr::StuckJob> drain() { return server_->drain(); }
  tr::Server& server() { return *server_; }
  std::string log() const;  // all lines so far
  // Waits for a line with `text`; lines come by a thread of their own.
  ::testing::AssertionResult says(std::string_view text) const;

 private:
  // Where it listens; sets what the setup says of listeners.
  std::array<const char*, 2> urls_for(tr::ListenOptions& options) const;

  struct Lines {
    mutable std::mutex mutex;
    std::string text;
  };
  const tr::Accepting accepting_;
  std::shared_ptr<Lines> lines_;  // owners: this and the server's log
  std::unique_ptr<tr::Server> server_;
  bool started_ = false;
};

// For requests of kind 0 that must start on their loop, whatever they cost lately and whether it
// has a reserve: one that comes later takes the loop as well.
inline tr::ListenOptions pinned_to_the_loop() {
  return {.pinned_kinds = {{.kind = 0, .dispatch = tr::Dispatch::kInline}}};
}

// Echoes lines, with a mark so that a reply is not mistaken for its request.
inline tr::Answer mark(const tr::Request& request) { return "<" + request.own() + ">"; }

// Names of the threads of a process, sorted; 0: of this one.
std::vector<std::string> thread_names(int pid = 0);
size_t open_descriptors();

}  // namespace support
