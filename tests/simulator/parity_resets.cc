// Scenarios: RST in every state, from either side and for every reason.
#include <sys/epoll.h>
#include <sys/socket.h>

#include "stage.h"

namespace trireme { inline namespace v0 { namespace sim {
namespace {

constexpr uint32_t kAll = EPOLLIN | EPOLLOUT | EPOLLRDHUP;

void data_then_reset(Stage& s) {
  s.pair("a", "b");
  s.epoll("e");
  s.add("e", "b", kAll);
  s.send("a", "last words");
  s.reset("a");
  s.wait("e");
  s.readable("b");
  s.receive("b", 4);
  s.receive("b");
  s.receive("b");
  s.receive("b");
  s.wait("e");
  s.send("b", "x");
  s.shutdown("b", SHUT_WR);
  s.error("b");
}

void reset_then_send(Stage& s) {
  s.pair("a", "b");
  s.reset("a");
  s.send("b", "x");
  s.send("b", "x");
  s.receive("b");
  s.error("b");
}

void reset_then_error(Stage& s) {
  s.pair("a", "b");
  s.epoll("e");
  s.add("e", "b", EPOLLIN);
  s.reset("a");
  s.wait("e");
  s.error("b");
  s.wait("e");
  s.error("b");
  s.receive("b");
  s.send("b", "x");
  s.connect_again("b", "listener of a");
}

void reset_after_fin(Stage& s) {
  s.pair("a", "b");
  s.send("a", "words");
  s.shutdown("a", SHUT_WR);
  s.reset("a");
  s.epoll("e");
  s.add("e", "b", kAll);
  s.wait("e");
  s.receive("b");
  s.receive("b");
  s.receive("b");
  s.send("b", "x");
  s.send("b", "x");
  s.error("b");
}

void reset_after_our_fin(Stage& s) {
  s.pair("a", "b");
  s.shutdown("b", SHUT_WR);
  s.reset("a");
  s.receive("b");
  s.receive("b");
  s.send("b", "x");
  s.shutdown("b", SHUT_WR);
}

void close_with_unread(Stage& s) {
  s.pair("a", "b");
  s.send("a", "unread");
  s.send("b", "reply");
  s.close("b");
  s.epoll("e");
  s.add("e", "a", kAll);
  s.wait("e");
  s.receive("a");
  s.receive("a");
  s.receive("a");
}

void close_with_unread_after_fin(Stage& s) {
  s.pair("a", "b");
  s.send("a", "unread");
  s.shutdown("a", SHUT_WR);
  s.close("b");
  s.receive("a");
  s.receive("a");
}

void close_with_unread_both_shut(Stage& s) {
  s.pair("a", "b");
  s.send("a", "unread");
  s.shutdown("a", SHUT_WR);
  s.shutdown("b", SHUT_WR);
  s.close("b");
  s.receive("a");
  s.error("a");
}

void send_to_closed(Stage& s) {
  s.pair("a", "b");
  s.close("b");
  s.epoll("e");
  s.add("e", "a", kAll);
  s.wait("e");
  s.send("a", "one");
  s.wait("e");
  s.send("a", "two");
  s.send("a", "three");
  s.receive("a");
  s.error("a");
}

void send_to_closed_reading_first(Stage& s) {
  s.pair("a", "b");
  s.send("b", "bye");
  s.close("b");
  s.send("a", "one");
  s.error("a");
  s.receive("a");
  s.receive("a");
  s.send("a", "two");
}

void data_after_shut_both(Stage& s) {
  s.pair("a", "b");
  s.epoll("e");
  s.add("e", "a", kAll);
  s.add("e", "b", kAll);
  s.shutdown("b", SHUT_RDWR);
  s.wait("e");
  s.send("a", "late");
  s.wait("e");
  s.receive("b");
  s.receive("b");
  s.receive("a");
  s.receive("a");
  s.send("a", "x");
  s.send("b", "x");
}

void unread_then_shut_both(Stage& s) {
  s.pair("a", "b");
  s.send("a", "unread");
  s.shutdown("b", SHUT_RDWR);
  s.receive("b", 3);
  s.close("b");
  s.receive("a");
  s.receive("a");
}

void reset_in_backlog(Stage& s) {
  s.listen("l");
  s.epoll("e");
  s.add("e", "l", EPOLLIN);
  s.connect("a", "l");
  s.send("a", "words");
  s.reset("a");
  s.wait("e");
  s.accept("l", "b");
  s.wait("e");
  s.add("e", "b", kAll);
  s.wait("e");
  s.receive("b");
  s.receive("b");
  s.receive("b");
  s.send("b", "x");
}

void close_in_backlog(Stage& s) {
  s.listen("l");
  s.connect("a", "l");
  s.send("a", "words");
  s.close("a");
  s.accept("l", "b");
  s.receive("b");
  s.receive("b");
  s.send("b", "x");
  s.receive("b");
  s.send("b", "x");
}

void listener_closed(Stage& s) {
  s.listen("l");
  s.connect("a", "l");
  s.connect("b", "l");
  s.send("b", "words");
  s.close("l");
  s.epoll("e");
  s.add("e", "a", kAll);
  s.wait("e");
  s.receive("a");
  s.receive("a");
  s.send("b", "x");
  s.send("b", "x");
}

void reset_while_full(Stage& s) {
  s.pair("a", "b");
  s.fill("a");
  s.epoll("e");
  s.add("e", "a", kAll | EPOLLET);
  s.wait("e");
  s.reset("b");
  s.wait("e");
  s.send("a", "x");
  s.receive("a");
}

void hangup_cannot_be_masked(Stage& s) {
  s.pair("a", "b");
  s.epoll("e");
  s.add("e", "b", 0);
  s.shutdown("a", SHUT_WR);
  s.wait("e");
  s.shutdown("b", SHUT_WR);
  s.wait("e");
  s.wait("e");
  s.remove("e", "b");
  s.wait("e");
}

void error_cannot_be_masked(Stage& s) {
  s.pair("a", "b");
  s.epoll("e");
  s.add("e", "b", 0);
  s.reset("a");
  s.wait("e");
  s.wait("e");
  s.modify("e", "b", EPOLLET);
  s.wait("e");
  s.wait("e");
  s.error("b");
  s.wait("e");
}

}  // namespace

std::vector<Scenario> reset_scenarios() {
  return {{"data_then_reset", data_then_reset},
          {"reset_then_send", reset_then_send},
          {"reset_then_error", reset_then_error},
          {"reset_after_fin", reset_after_fin},
          {"reset_after_our_fin", reset_after_our_fin},
          {"close_with_unread", close_with_unread},
          {"close_with_unread_after_fin", close_with_unread_after_fin},
          {"close_with_unread_both_shut", close_with_unread_both_shut},
          {"send_to_closed", send_to_closed},
          {"send_to_closed_reading_first", send_to_closed_reading_first},
          {"data_after_shut_both", data_after_shut_both},
          {"unread_then_shut_both", unread_then_shut_both},
          {"reset_in_backlog", reset_in_backlog},
          {"close_in_backlog", close_in_backlog},
          {"listener_closed", listener_closed},
          {"reset_while_full", reset_while_full},
          {"hangup_cannot_be_masked", hangup_cannot_be_masked},
          {"error_cannot_be_masked", error_cannot_be_masked}};
}

}}}  // namespace trireme::sim
