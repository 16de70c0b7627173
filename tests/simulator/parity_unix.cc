// Scenarios: unix sockets, and where they differ from TCP.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "stage.h"

namespace trireme { inline namespace v0 { namespace sim {
namespace {

constexpr uint32_t kAll = EPOLLIN | EPOLLOUT | EPOLLRDHUP;

void talk(Stage& s) {
  s.pair_unix("a", "b");
  s.receive("b");
  s.send("a", "hello");
  s.readable("b");
  s.receive("b", 2);
  s.readable("b");
  s.receive("b");
  s.receive("b");
  s.send("b", "one");
  s.send("b", "two");
  s.receive("a");
  s.credentials("a");
  s.credentials("b");
}

void before_connect(Stage& s) {
  s.open("a", AF_UNIX);
  s.epoll("e");
  s.add("e", "a", kAll);
  s.wait("e");
  s.receive("a");
  s.send("a", "x");
  s.readable("a");
  s.error("a");
  s.credentials("a");
  s.shutdown("a", SHUT_WR);
  s.listen_now("a", 3);
  s.accept("a", "nobody");
}

void connect_steps(Stage& s) {
  s.listen_unix("l");
  s.epoll("e");
  s.add("e", "l", EPOLLIN);
  s.wait("e");
  s.connect("a", "l");
  s.wait("e");
  s.connect_again("a", "l");
  s.send("a", "early");
  s.accept("l", "b");
  s.wait("e");
  s.receive("b");
  s.connect_again("b", "l");
  s.accept("l", "nobody");
  s.connect_again("l", "l");
}

void names(Stage& s) {
  s.open("l", AF_UNIX);
  s.listen_now("l", 1);
  s.bind_path("l");
  s.open("late", AF_UNIX);
  s.connect_again("late", "l");
  s.listen_now("l", 1);
  s.connect_again("late", "l");
  s.open("other", AF_UNIX);
  s.bind_to("other", "l");
  s.bind_to("l", "l");
  s.file("l");
  s.close("l");
  s.file("l");
  s.connect("refused", "l");
  s.bind_to("other", "l");
  s.remove_file("l");
  s.remove_file("l");
  s.file("l");
  s.connect("lost", "l");
  s.bind_to("other", "l");
  s.file("l");
}

void modes(Stage& s) {
  s.open("l", AF_UNIX);
  s.mode_before("l", 0660);
  s.bind_path("l");
  s.file("l");
  s.file_mode("l", 0666);
  s.file("l");
  s.open("m", AF_UNIX);
  s.bind_path("m");
  s.file("m");
  s.remove_file("m");
  s.file_mode("m", 0600);
}

void full_backlog(Stage& s) {
  s.listen_unix("l", 1);
  s.connect("a", "l");
  s.connect("b", "l");
  s.connect("c", "l");
  s.accept("l", "d");
  s.connect_again("c", "l");
}

void half_close(Stage& s) {
  s.pair_unix("a", "b");
  s.epoll("e");
  s.add("e", "b", kAll);
  s.wait("e");
  s.send("a", "last");
  s.shutdown("a", SHUT_WR);
  s.wait("e");
  s.receive("b", 2);
  s.receive("b");
  s.receive("b");
  s.send("b", "reply");
  s.receive("a");
  s.send("a", "x");
  s.close("b");
  s.receive("a");
  s.error("a");
  s.shutdown("a", SHUT_WR);
}

void shut_read(Stage& s) {
  s.pair_unix("a", "b");
  s.epoll("e");
  s.add("e", "a", kAll);
  s.add("e", "b", kAll);
  s.wait("e");
  s.send("a", "before");
  s.shutdown("b", SHUT_RD);
  s.wait("e");
  s.send("a", "after");
  s.receive("b");
  s.receive("b");
  s.send("b", "still");
  s.receive("a");
  s.shutdown("b", SHUT_RDWR);
  s.wait("e");
  s.receive("a");
}

void closed(Stage& s) {
  s.pair_unix("a", "b");
  s.epoll("e");
  s.add("e", "a", kAll);
  s.send("b", "bye");
  s.close("b");
  s.wait("e");
  s.send("a", "x");
  s.receive("a");
  s.receive("a");
  s.error("a");
  s.wait("e");
}

void closed_with_unread(Stage& s) {
  s.pair_unix("a", "b");
  s.epoll("e");
  s.add("e", "a", kAll | EPOLLET);
  s.wait("e");
  s.send("a", "unread");
  s.send("b", "bye");
  s.close("b");
  s.wait("e");
  s.send("a", "x");
  s.receive("a");
  s.receive("a");
  s.receive("a");
  s.wait("e");
}

void reset(Stage& s) {
  s.pair_unix("a", "b");
  s.send("b", "bye");
  s.reset("b");
  s.receive("a");
  s.receive("a");
}

void listener_closed(Stage& s) {
  s.listen_unix("l");
  s.connect("a", "l");
  s.send("a", "never read");
  s.connect("b", "l");
  s.epoll("e");
  s.add("e", "a", kAll);
  s.close("l");
  s.wait("e");
  s.receive("a");
  s.receive("a");
  s.send("b", "x");
  s.error("b");
}

void listener_shut(Stage& s) {
  s.listen_unix("l");
  s.connect("a", "l");
  s.shutdown("l", SHUT_RDWR);
  s.connect("b", "l");
  s.accept("l", "c");
  s.accept("l", "d");
}

void edges(Stage& s) {
  s.pair_unix("a", "b");
  s.epoll("e");
  s.add("e", "b", kAll | EPOLLET);
  s.wait("e");
  s.wait("e");
  s.send("a", "1");
  s.wait("e");
  s.wait("e");
  s.send("a", "2");
  s.wait("e");
  s.receive("b", 1);
  s.wait("e");
  s.receive("b");
  s.wait("e");
}

void room_edges(Stage& s) {
  s.pair_unix("a", "b");
  s.epoll("e");
  s.add("e", "a", kAll | EPOLLET);
  s.wait("e");
  s.send("a", "first");
  s.send("a", "second");
  s.wait("e");
  s.receive("b", 2);
  s.wait("e");
  s.receive("b", 3);
  s.wait("e");
  s.fill("a");
  s.wait("e");
  s.drain("b");
  s.wait("e");
  s.send("a", "x");
}

void options(Stage& s) {
  s.listen_unix("l");
  s.connect("a", "l");
  s.accept("l", "b");
  for (const char* name : {"l", "a", "b"}) {
    s.get(name, SO_TYPE);
    s.get(name, SO_ACCEPTCONN);
    s.set(name, SOL_SOCKET, SO_REUSEADDR, 1);
    s.set(name, SOL_SOCKET, SO_KEEPALIVE, 1);
    s.set(name, SOL_SOCKET, SO_REUSEPORT, 1);
    s.set(name, IPPROTO_TCP, TCP_NODELAY, 1);
  }
  s.listen("t");
  s.get("t", SO_TYPE);
  s.get("t", SO_ACCEPTCONN);
  s.credentials("t");
}

void sets(Stage& s) {
  s.pair_unix("a", "b");
  s.poll({{"a", EPOLLIN | EPOLLOUT}, {"b", EPOLLIN}});
  s.send("a", "x");
  s.poll({{"b", EPOLLIN | EPOLLOUT | EPOLLRDHUP}});
  s.select({{"a", EPOLLIN | EPOLLOUT}, {"b", EPOLLIN}});
  s.close("a");
  s.poll({{"b", EPOLLIN | EPOLLOUT | EPOLLRDHUP}});
}

}  // namespace

std::vector<Scenario> unix_scenarios() {
  return {{"UnixTalk", talk},
          {"UnixBeforeConnect", before_connect},
          {"UnixConnectSteps", connect_steps},
          {"UnixNames", names},
          {"UnixModes", modes},
          {"UnixFullBacklog", full_backlog},
          {"UnixHalfClose", half_close},
          {"UnixShutRead", shut_read},
          {"UnixClosed", closed},
          {"UnixClosedWithUnread", closed_with_unread},
          {"UnixReset", reset},
          {"UnixListenerClosed", listener_closed},
          {"UnixListenerShut", listener_shut},
          {"UnixEdges", edges},
          {"UnixRoomEdges", room_edges},
          {"UnixOptions", options},
          {"UnixSets", sets}};
}

}}}  // namespace trireme::sim
