// Scenarios: epoll's levels, edges and order; eventfd.
#include <sys/epoll.h>
#include <sys/socket.h>

#include "stage.h"

namespace trireme { inline namespace v0 { namespace sim {
namespace {

constexpr uint32_t kIn = EPOLLIN;
constexpr uint32_t kAll = EPOLLIN | EPOLLOUT | EPOLLRDHUP;
constexpr uint32_t kEdge = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

void level(Stage& s) {
  s.pair("a", "b");
  s.epoll("e");
  s.add("e", "b", kIn);
  s.wait("e");
  s.send("a", "xy");
  s.wait("e");
  s.wait("e");
  s.receive("b", 1);
  s.wait("e");
  s.receive("b", 1);
  s.wait("e");
}

void edge_per_segment(Stage& s) {
  s.pair("a", "b");
  s.epoll("e");
  s.add("e", "b", kEdge);
  s.wait("e");
  s.wait("e");
  s.send("a", "xy");
  s.wait("e");
  s.wait("e");
  s.receive("b", 1);
  s.wait("e");
  s.send("a", "z");
  s.wait("e");
  s.wait("e");
  s.receive("b");
}

void modify_rearms(Stage& s) {
  s.pair("a", "b");
  s.epoll("e");
  s.add("e", "b", kIn | EPOLLET);
  s.send("a", "x");
  s.wait("e");
  s.wait("e");
  s.modify("e", "b", kIn | EPOLLET);
  s.wait("e");
  s.wait("e");
  s.modify("e", "b", EPOLLOUT | EPOLLET);
  s.wait("e");
  s.wait("e");
}

void stale_ready_entry(Stage& s) {
  s.pair("a", "b");
  s.epoll("e");
  s.add("e", "b", kIn | EPOLLET);
  s.send("a", "x");
  s.receive("b");
  s.wait("e");
  s.send("a", "y");
  s.wait("e");
}

void fin_edge(Stage& s) {
  s.pair("a", "b");
  s.epoll("e");
  s.add("e", "b", kEdge);
  s.wait("e");
  s.send("a", "x");
  s.shutdown("a", SHUT_WR);
  s.wait("e");
  s.receive("b", 1);
  s.wait("e");
  s.receive("b", 1);
  s.shutdown("b", SHUT_WR);
  s.wait("e");
  s.wait("e");
}

void own_shutdown_is_an_edge(Stage& s) {
  s.pair("a", "b");
  s.epoll("e");
  s.add("e", "b", kEdge);
  s.wait("e");
  s.shutdown("b", SHUT_WR);
  s.wait("e");
  s.shutdown("b", SHUT_RD);
  s.wait("e");
  s.wait("e");
}

void reset_edge(Stage& s) {
  s.pair("a", "b");
  s.epoll("e");
  s.add("e", "b", kEdge);
  s.wait("e");
  s.reset("a");
  s.wait("e");
  s.wait("e");
}

void out_edge_only_when_wanted(Stage& s) {
  s.pair("a", "b");
  s.epoll("e");
  s.add("e", "a", EPOLLOUT | EPOLLET);
  s.wait("e");
  s.send("a", "some");
  s.receive("b");
  s.wait("e");
  s.fill("a");
  s.wait("e");
  s.drain("b");
  s.wait("e");
  s.wait("e");
}

void full_level(Stage& s) {
  s.pair("a", "b");
  s.epoll("e");
  s.add("e", "a", EPOLLOUT);
  s.wait("e");
  s.fill("a");
  s.wait("e");
  s.drain("b");
  s.wait("e");
  s.send("a", "x");
  s.receive("b");
}

void full_then_fin(Stage& s) {
  s.pair("a", "b");
  s.fill("a");
  s.shutdown("a", SHUT_WR);
  s.send("a", "x");
  s.drain("b");
  s.receive("b");
}

void full_then_close(Stage& s) {
  s.pair("a", "b");
  s.fill("a");
  s.close("a");
  s.drain("b");
  s.send("b", "x");
  s.error("b");
}

void listener_level(Stage& s) {
  s.listen("l");
  s.epoll("e");
  s.add("e", "l", kIn);
  s.wait("e");
  s.connect("a", "l");
  s.connect("b", "l");
  s.wait("e");
  s.accept("l", "1");
  s.wait("e");
  s.accept("l", "2");
  s.wait("e");
}

void listener_edge(Stage& s) {
  s.listen("l");
  s.epoll("e");
  s.add("e", "l", kIn | EPOLLET);
  s.connect("a", "l");
  s.wait("e");
  s.wait("e");
  s.connect("b", "l");
  s.wait("e");
  s.accept("l", "1");
  s.wait("e");
}

void connecting_edge(Stage& s) {
  s.listen("l");
  s.open("a");
  s.epoll("e");
  s.add("e", "a", kEdge);
  s.wait("e");
  s.connect_again("a", "l");
  s.wait("e");
  s.wait("e");
}

void order_of_arrival(Stage& s) {
  s.pair("a", "1");
  s.pair("b", "2");
  s.pair("c", "3");
  s.epoll("e");
  for (const char* name : {"1", "2", "3"}) s.add("e", name, kIn);
  s.send("c", "x");
  s.send("a", "x");
  s.send("b", "x");
  s.wait("e", 2);
  s.wait("e", 2);
  s.wait("e", 2);
  s.receive("3");
  s.wait("e");
}

void epoll_misuse(Stage& s) {
  s.pair("a", "b");
  s.epoll("e");
  s.modify("e", "a", kIn);
  s.remove("e", "a");
  s.add("e", "a", kIn);
  s.add("e", "a", kIn);
  s.remove("e", "a");
  s.remove("e", "a");
  s.add("e", "e", kIn);
}

void close_leaves_the_set(Stage& s) {
  s.pair("a", "b");
  s.epoll("e");
  s.add("e", "b", kIn);
  s.send("a", "x");
  s.close("b");
  s.wait("e");
  s.open("b");
  s.wait("e");
  s.add("e", "b", kIn);
  s.wait("e");
}

void one_shot(Stage& s) {
  s.pair("a", "b");
  s.epoll("e");
  s.add("e", "b", kIn | EPOLLONESHOT);
  s.send("a", "x");
  s.wait("e");
  s.send("a", "y");
  s.shutdown("a", SHUT_WR);
  s.wait("e");
  s.modify("e", "b", kIn | EPOLLONESHOT);
  s.wait("e");
  s.wait("e");
}

void event_level(Stage& s) {
  s.epoll("e");
  s.event("v");
  s.add("e", "v", kIn);
  s.wait("e");
  s.clear("v");
  s.signal("v");
  s.signal("v");
  s.wait("e");
  s.wait("e");
  s.clear("v");
  s.clear("v");
  s.wait("e");
}

void event_edge(Stage& s) {
  s.epoll("e");
  s.event("v");
  s.add("e", "v", kIn | EPOLLET);
  s.signal("v");
  s.wait("e");
  s.wait("e");
  s.signal("v");
  s.wait("e");
  s.wait("e");
  s.clear("v");
  s.wait("e");
  s.signal("v");
  s.wait("e");
  s.modify("e", "v", kIn | EPOLLOUT | EPOLLET);
  s.wait("e");
}

void timeout(Stage& s) {
  s.epoll("e");
  s.event("v");
  s.add("e", "v", kIn);
  s.wait("e", 4, 5);
  s.signal("v");
  s.wait("e", 4, -1);
}

void nested(Stage& s) {
  s.epoll("e");
  s.epoll("inner");
  s.event("v");
  s.add("e", "inner", kAll);
  s.wait("e");
  s.signal("v");
  s.add("inner", "v", kIn);
  s.clear("v");
  s.wait("e");
}

}  // namespace

std::vector<Scenario> edge_scenarios() {
  return {{"level", level},
          {"edge_per_segment", edge_per_segment},
          {"modify_rearms", modify_rearms},
          {"stale_ready_entry", stale_ready_entry},
          {"fin_edge", fin_edge},
          {"own_shutdown_is_an_edge", own_shutdown_is_an_edge},
          {"reset_edge", reset_edge},
          {"out_edge_only_when_wanted", out_edge_only_when_wanted},
          {"full_level", full_level},
          {"full_then_fin", full_then_fin},
          {"full_then_close", full_then_close},
          {"listener_level", listener_level},
          {"listener_edge", listener_edge},
          {"connecting_edge", connecting_edge},
          {"order_of_arrival", order_of_arrival},
          {"epoll_misuse", epoll_misuse},
          {"close_leaves_the_set", close_leaves_the_set},
          {"one_shot", one_shot},
          {"event_level", event_level},
          {"event_edge", event_edge},
          {"timeout", timeout},
          {"nested", nested}};
}

}}}  // namespace trireme::sim
