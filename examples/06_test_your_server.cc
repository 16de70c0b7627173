// A unit test of a server, without socket, thread or waiting: Conversation runs the handler behind
// the code that serves sockets, with a clock that is moved by hand.
//
//   example_06_test_your_server        status 0 if all is well
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>

#include "trireme/testing/conversation.h"
#include "trireme/trireme.h"

namespace tr = trireme;
using namespace std::chrono_literals;

// The server under test. Adds numbers up; a Reply is kept when a client asks for the next sum.
struct Adder {
  long sum = 0;
  std::optional<tr::Reply> waiting;

  void on_request(const tr::Request& request, tr::Reply reply) {
    if (request.text() == "wait") {
      waiting = std::move(reply);
      return;
    }
    sum += std::strtol(request.own().c_str(), nullptr, 10);
    std::move(reply).send(std::to_string(sum));
  }
};

void check_that(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "it does not hold that %s\n", what);
  std::exit(1);
}

int main() {
  const auto upper = [](const tr::Request& request) -> tr::Answer {
    if (request.text() == "throw") throw 1;
    return "<" + request.own() + ">";
  };
  {
    tr::testing::Conversation talk(tr::lines(), upper);
    check_that(talk.say("a\nb") == "<a>\n", "a line is answered when it is whole");
    check_that(talk.say("\n") == "<b>\n", "the rest of a line is waited for");
    check_that(talk.say("throw\nc\n") == "ERR internal\n<c>\n", "an exception is an error reply");
    check_that(talk.say("cut off") == "", "a part of a line has no answer");
    check_that(talk.end() == "", "nor has it one at the end of the stream");
    check_that(talk.closed() == tr::CloseReason::kPeerClosed, "the end of the stream closes");
    check_that(talk.stats().partial_requests_dropped == 1, "the part is counted");
  }
  {
    tr::testing::Conversation talk(tr::lines(), upper, {.limits = {.request_time_max = 30s}});
    talk.say("slow");
    check_that(!talk.closed(), "a slow request has time");
    talk.advance(31s);
    check_that(talk.closed() == tr::CloseReason::kRequestTimeout, "but not for ever");
  }
  {
    const auto talk = tr::testing::Conversation::with<Adder>(tr::lines(), {});
    check_that(talk->say("1\n2\n") == "1\n3\n", "a session keeps its state");
    check_that(talk->say("wait\n4\n") == "", "serial: nothing overtakes a reply that is due");
  }
  std::puts("all is well");
  return 0;
}
