// A whole server in the test's process, on a kernel and threads that fail on request.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "fault/expectations.h"
#include "support/client.h"
#include "support/faulty_threads.h"
#include "support/gate.h"
#include "support/test_server.h"

namespace fault {

namespace tr = trireme;
using support::Client;

// The setups that cells are dealt out to, one after the other.
std::span<const support::Setup> setups();
// Those of them whose driver makes calls of this site.
std::span<const support::Setup> setups_of(tr::FaultyKernel::Site site);

// Short clocks. Handler: echoes; "bye" also closes; "wait" waits until its client has gone;
// "gate" until `gate` is open. The
// destructor drains and expects that the books balance, that every descriptor was closed, and that
// no kind of log line came more than about once a second.
class FaultyServer {
 public:
  explicit FaultyServer(const support::Setup& setup, size_t listeners = 1);
  ~FaultyServer();
  FaultyServer(const FaultyServer&) = delete;
  FaultyServer& operator=(const FaultyServer&) = delete;

  tr::FaultyKernel& kernel() { return kernel_; }
  tr::FaultyThreads& threads() { return threads_; }

  // A new server each time; the one before must have failed or been drained.
  tr::Result<tr::Done> start();
  void drain();  // and closes the books

  std::string url(size_t index = 0) const { return server_->urls()[index]; }
  tr::Stats stats() const { return server_->stats(); }
  uint64_t closed(tr::CloseReason reason) const {
    return stats().closed_by_reason[static_cast<size_t>(reason)];
  }
  // Descriptors that the server holds, as the kernel has counted them.
  uint64_t descriptors_open() const {
    return kernel_.descriptors_opened() - kernel_.descriptors_closed();
  }
  std::vector<std::string> log() const;
  const support::Setup& setup() const { return setup_; }
  support::Gate gate() const { return gate_; }

 private:
  struct Lines {
    std::mutex mutex;
    std::vector<std::string> lines;
  };
  void expect_quiet_log() const;

  const support::Setup setup_;
  const size_t listeners_;
  const support::Gate gate_;
  const support::Clock::time_point born_ = support::Clock::now();
  tr::FaultyKernel kernel_;
  tr::FaultyThreads threads_;
  tr::Platform platform_;
  std::shared_ptr<Lines> lines_;  // owners: this and the server's log
  std::unique_ptr<tr::Server> server_;
  bool running_ = false;
};

// Sends a line and expects its echo, soon.
::testing::AssertionResult serves(Client& client, const std::string& line = "alive");
::testing::AssertionResult serves(const std::string& url);
// The same for a line that has been sent already: its echo comes.
::testing::AssertionResult answered(Client& client, const std::string& line);

}  // namespace fault
