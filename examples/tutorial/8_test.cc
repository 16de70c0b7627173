// Step 8: a unit test of a server, without socket, thread or waiting.
//
//   tutorial_8_test        status 0 if all is well
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>

#include "trireme/testing/conversation.h"
#include "trireme/testing/table.h"
#include "trireme/trireme.h"

namespace tr = trireme;
using namespace std::chrono_literals;

// What is tested: a session with a greeting, a counter and a warning to silent clients.
class Session {
 public:
  explicit Session(tr::Peer peer) : peer_(std::move(peer)) {
    peer_.send("hello\n");
    peer_.after(50s, 0);
  }
  tr::Answer on_request(const tr::Request& request) {
    if (request.text().empty()) return tr::error("an empty line");
    return std::to_string(++count_) + " " + request.own();
  }

  void on_timer(uint64_t) { peer_.send("are you still here?\n"); }

 private:
  tr::Peer peer_;
  int count_ = 0;
};

void expect(const std::string& heard, const std::string& expected) {
  if (heard == expected) return;
  std::fprintf(stderr, "heard '%s', expected '%s'\n", heard.c_str(), expected.c_str());
  std::exit(1);
}

void expect_closed(const tr::testing::Conversation& talk, std::optional<tr::CloseReason> expected) {
  if (talk.closed() == expected) return;
  std::fprintf(stderr, "it is %s, or for another reason\n", expected ? "open" : "closed");
  std::exit(1);
}

// One client.
void test_lines() {
  const auto talk = tr::testing::Conversation::with<Session>(tr::lines(), {});
  expect(talk->hear(), "hello\n");
  expect(talk->say("a\nb\n"), "1 a\n2 b\n");
  expect(talk->say("half a li"), "");
  expect(talk->say("ne\n"), "3 half a line\n");
  expect(talk->say("\n"), "ERR an empty line\n");
  expect(talk->end(), "");
  expect_closed(*talk, tr::CloseReason::kPeerClosed);
}

// Time is moved by hand.
void test_silence() {
  const auto talk =
      tr::testing::Conversation::with<Session>(tr::lines(), {.limits = {.idle_time_max = 1min}});
  expect(talk->advance(45s), "hello\n");
  expect(talk->advance(10s), "are you still here?\n");
  expect_closed(*talk, std::nullopt);
  talk->advance(1min);  // the server ends its direction of the stream
  talk->end();          // then the client does
  expect_closed(*talk, tr::CloseReason::kIdleTimeout);
}

// Several clients of one service.
void test_clients_do_not_meet() {
  const auto table = tr::testing::Table::with<Session>(tr::lines(), {});
  auto& ada = table->join();
  auto& bob = table->join();
  expect(ada.say("x\n"), "hello\n1 x\n");
  expect(bob.say("x\n"), "hello\n1 x\n");
}

int main() {
  test_lines();
  test_silence();
  test_clients_do_not_meet();
  std::puts("all is well");
}
