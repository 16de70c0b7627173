// Scenarios: poll and select, which are told their set in every call.
#include <sys/epoll.h>
#include <sys/socket.h>

#include "stage.h"

namespace trireme { inline namespace v0 { namespace sim {
namespace {

constexpr uint32_t kIn = EPOLLIN;
constexpr uint32_t kOut = EPOLLOUT;
constexpr uint32_t kBoth = EPOLLIN | EPOLLOUT;
constexpr uint32_t kAll = EPOLLIN | EPOLLOUT | EPOLLRDHUP;

void look(Stage& s, const Stage::Wanted& what) {
  s.poll(what);
  s.select(what);
}

void levels(Stage& s) {
  s.pair("a", "b");
  s.event("wake");
  look(s, {{"wake", kIn}, {"b", kIn}});
  look(s, {{"b", kBoth}, {"a", kOut}});
  s.send("a", "xy");
  look(s, {{"wake", kIn}, {"b", kIn}});
  look(s, {{"b", kIn}});
  s.receive("b", 1);
  look(s, {{"b", kBoth}});
  s.receive("b", 1);
  look(s, {{"b", kIn}});
  s.signal("wake");
  look(s, {{"wake", kIn}, {"b", kIn}});
  s.clear("wake");
  look(s, {{"wake", kIn}, {"b", kIn}});
  look(s, {{"b", 0}});
}

void listener_is_readable(Stage& s) {
  s.listen("l");
  look(s, {{"l", kIn}});
  s.connect("a", "l");
  look(s, {{"l", kIn}});
  s.accept("l", "b");
  look(s, {{"l", kIn}});
}

void full_is_not_writable(Stage& s) {
  s.pair("a", "b");
  s.fill("a");
  look(s, {{"a", kBoth}});
  s.drain("b");
  look(s, {{"a", kBoth}});
}

void half_close_and_close(Stage& s) {
  s.pair("a", "b");
  s.shutdown("a", SHUT_WR);
  look(s, {{"b", kAll}});
  look(s, {{"b", 0}});  // poll tells no RDHUP that is not asked for
  s.shutdown("b", SHUT_WR);
  look(s, {{"b", kAll}});
  s.poll({{"b", 0}});  // HUP cannot be masked
  s.select({{"b", 0}});
}

void reset(Stage& s) {
  s.pair("a", "b");
  s.reset("a");
  look(s, {{"b", kAll}});
  s.poll({{"b", 0}});
  s.select({{"b", 0}});  // select tells nothing that is not asked for
  s.error("b");
}

void waits_until_time(Stage& s) {
  s.pair("a", "b");
  s.poll({{"b", kIn}}, 3);
  s.select({{"b", kIn}}, 3);
  s.poll({}, 2);
  s.select({}, 2);
}

}  // namespace

std::vector<Scenario> set_scenarios() {
  return {{"set_levels", levels},
          {"set_listener_is_readable", listener_is_readable},
          {"set_full_is_not_writable", full_is_not_writable},
          {"set_half_close_and_close", half_close_and_close},
          {"set_reset", reset},
          {"set_waits_until_time", waits_until_time}};
}

}}}  // namespace trireme::sim
