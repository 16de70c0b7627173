// Scenarios: connections that begin and end in good order, and calls in the wrong state.
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "stage.h"

namespace trireme { inline namespace v0 { namespace sim {
namespace {

constexpr uint32_t kAll = EPOLLIN | EPOLLOUT | EPOLLRDHUP;

void talk(Stage& s) {
  s.pair("a", "b");
  s.receive("b");
  s.send("a", "hello");
  s.readable("b");
  s.receive("b", 2);
  s.readable("b");
  s.receive("b");
  s.receive("b");
  s.send("b", "answer");
  s.receive("a");
}

void connect_steps(Stage& s) {
  s.listen("l");
  s.connect("a", "l");
  s.connect_again("a", "l");
  s.connect_again("a", "l");
  s.send("a", "early");
  s.accept("l", "b");
  s.connect_again("b", "l");
  s.receive("b");
  s.accept("l", "nobody");
}

void refused(Stage& s) {
  s.listen("l");
  s.open("a");
  s.close("l");
  s.epoll("e");
  s.connect_again("a", "l");
  s.add("e", "a", kAll);
  s.wait("e");
  s.error("a");
  s.error("a");
  s.wait("e");
  s.receive("a");
  s.send("a", "x");
  s.connect_again("a", "l");
  s.connect_again("a", "l");
  s.receive("a");
  s.receive("a");
}

void refused_twice(Stage& s) {
  s.listen("l");
  s.open("a");
  s.close("l");
  s.connect_again("a", "l");
  s.connect_again("a", "l");
  s.connect_again("a", "l");
  s.send("a", "x");
  s.send("a", "x");
}

void half_close(Stage& s) {
  s.pair("a", "b");
  s.epoll("e");
  s.add("e", "b", kAll);
  s.send("a", "last");
  s.shutdown("a", SHUT_WR);
  s.wait("e");
  s.readable("b");
  s.receive("b", 2);
  s.receive("b");
  s.receive("b");
  s.receive("b");
  s.wait("e");
  s.send("b", "reply");
  s.receive("a");
  s.send("a", "x");
  s.shutdown("a", SHUT_WR);
  s.close("b");
  s.receive("a");
  s.error("a");
  s.shutdown("a", SHUT_WR);
}

void both_shut(Stage& s) {
  s.pair("a", "b");
  s.epoll("e");
  s.add("e", "a", kAll);
  s.add("e", "b", kAll);
  s.shutdown("a", SHUT_WR);
  s.wait("e");
  s.shutdown("b", SHUT_WR);
  s.wait("e");
  s.receive("a");
  s.receive("b");
  s.send("a", "x");
  s.send("b", "x");
  s.shutdown("a", SHUT_RDWR);
  s.shutdown("b", SHUT_RD);
}

void shut_read(Stage& s) {
  s.pair("a", "b");
  s.epoll("e");
  s.add("e", "b", kAll);
  s.send("a", "before");
  s.shutdown("b", SHUT_RD);
  s.wait("e");
  s.receive("b");
  s.receive("b");
  s.send("a", "after");
  s.wait("e");
  s.receive("b");
  s.receive("b");
  s.send("b", "still");
  s.receive("a");
}

void plain_close(Stage& s) {
  s.pair("a", "b");
  s.send("b", "bye");
  s.close("b");
  s.receive("a");
  s.receive("a");
  s.error("a");
}

void fresh_socket(Stage& s) {
  s.open("a");
  s.epoll("e");
  s.add("e", "a", kAll);
  s.wait("e");
  s.receive("a");
  s.send("a", "x");
  s.shutdown("a", SHUT_WR);
  s.wait("e");
  s.error("a");
  s.readable("a");
  s.accept("a", "nobody");
}

void listener_misuse(Stage& s) {
  s.listen("l");
  s.receive("l");
  s.send("l", "x");
  s.readable("l");
  s.connect_again("l", "l");
  s.listen_now("l", 3);
  s.bind_to("l", "l");
  s.error("l");
  s.pair("a", "b");
  s.listen_now("a", 3);
  s.bind_to("a", "l");
}

void listener_shutdown(Stage& s) {
  s.listen("l");
  s.epoll("e");
  s.add("e", "l", EPOLLIN);
  s.connect("a", "l");
  s.wait("e");
  s.shutdown("l", SHUT_WR);
  s.wait("e");
  s.shutdown("l", SHUT_RD);
  s.wait("e");
  s.accept("l", "b");
  s.receive("a");
  s.connect("c", "l");
  s.error("c");
}

void ports(Stage& s) {
  s.listen("l");
  s.open("m");
  s.bind_to("m", "l");
  s.set("m", SOL_SOCKET, SO_REUSEADDR, 1);
  s.bind_to("m", "l");
  s.close("l");
  s.bind_to("m", "l");
  s.listen_now("m", 3);
  s.open("n");
  s.set("n", SOL_SOCKET, SO_REUSEADDR, 1);
  s.bind_to("n", "l");
}

void reuse_address(Stage& s) {
  s.listen("gone");
  s.close("gone");
  for (const char* name : {"m", "n"}) {
    s.open(name);
    s.set(name, SOL_SOCKET, SO_REUSEADDR, 1);
    s.bind_to(name, "gone");
  }
  s.listen_now("m", 3);
  s.listen_now("n", 3);
}

void reuse_port(Stage& s) {
  s.listen("gone");
  s.close("gone");
  for (const char* name : {"m", "n"}) {
    s.open(name);
    s.set(name, SOL_SOCKET, SO_REUSEPORT, 1);
    s.bind_to(name, "gone");
    s.listen_now(name, 3);
  }
  s.open("o");
  s.bind_to("o", "gone");
}

void ipv6(Stage& s) {
  s.listen("l", 8, AF_INET6);
  s.listen("four");
  s.connect("a", "l");
  s.accept("l", "b");
  s.send("a", "six");
  s.receive("b");
  s.open("x", AF_INET6);
  s.bind_to("x", "four");
  s.open("y");
  s.bind_to("y", "l");
  s.connect_again("y", "l");
}

void backlog_order(Stage& s) {
  s.listen("l", 2);
  s.connect("a", "l");
  s.connect("b", "l");
  s.connect("c", "l");
  s.accept("l", "1");
  s.accept("l", "2");
  s.accept("l", "3");
  s.accept("l", "4");
}

void backlog_full(Stage& s) {
  s.listen("l", 0);
  s.connect("a", "l");
  s.connect("b", "l");
  s.epoll("e");
  s.add("e", "b", kAll);
  s.wait("e");
  s.receive("b");
  s.send("b", "x");
  s.connect_again("b", "l");
  s.accept("l", "1");
  s.wait("e", 16, 3'000);
  s.accept("l", "2");
}

void options(Stage& s) {
  s.pair("a", "b");
  s.set("a", SOL_SOCKET, SO_KEEPALIVE, 1);
  s.set("a", SOL_SOCKET, SO_SNDBUF, 10'000);
  s.set("a", IPPROTO_TCP, 1 /* TCP_NODELAY */, 1);
  s.set("a", IPPROTO_TCP, 9'999, 1);
  s.set("a", SOL_SOCKET, 9'999, 1);
}

}  // namespace

std::vector<Scenario> life_scenarios() {
  return {{"talk", talk},
          {"connect_steps", connect_steps},
          {"refused", refused},
          {"refused_twice", refused_twice},
          {"half_close", half_close},
          {"both_shut", both_shut},
          {"shut_read", shut_read},
          {"plain_close", plain_close},
          {"fresh_socket", fresh_socket},
          {"listener_misuse", listener_misuse},
          {"listener_shutdown", listener_shutdown},
          {"ports", ports},
          {"reuse_address", reuse_address},
          {"reuse_port", reuse_port},
          {"ipv6", ipv6},
          {"backlog_order", backlog_order},
          {"backlog_full", backlog_full},
          {"options", options}};
}

}}}  // namespace trireme::sim
