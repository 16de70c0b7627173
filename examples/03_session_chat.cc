// A session class and pushes: every line goes to all who are connected, the sender included.
//
//   example_03_session_chat [URL]        then nc from several terminals
#include <iostream>
#include <mutex>
#include <string>
#include <unordered_map>

#include "trireme/trireme.h"

namespace tr = trireme;

// Shared by all sessions, so it has a lock. A Peer is a value: it may be copied, kept, and used
// from any thread, and using one whose connection is gone is harmless.
class Room {
 public:
  void join(const tr::Peer& peer) {
    const std::lock_guard lock(mutex_);
    members_.emplace(peer.id(), peer);
  }
  void leave(tr::ConnectionId id) {
    const std::lock_guard lock(mutex_);
    members_.erase(id);
  }
  // send() never blocks and runs no code of ours, so it may be called with the lock held.
  size_t say(const std::string& line) {
    const std::lock_guard lock(mutex_);
    size_t reached = 0;
    for (const auto& [id, peer] : members_) {
      // A member who does not read is closed when his queue is full, instead of filling memory.
      if (peer.send(line, tr::Overflow::kClose) == tr::SendResult::kQueued) ++reached;
    }
    return reached;
  }

 private:
  std::mutex mutex_;
  std::unordered_map<tr::ConnectionId, tr::Peer> members_;
};

// One object a connection. No base class, no lock: its functions run one at a time.
class Member {
 public:
  Member(tr::Peer peer, Room& room) : peer_(std::move(peer)), room_(room) { room_.join(peer_); }

  tr::Answer on_request(const tr::Request& request) {
    if (request.text() == "/quit") return tr::Answer("bye").close_after();
    // A push has no envelope: the newline is ours.
    room_.say(peer_.address() + ": " + request.own() + "\n");
    return tr::no_answer();
  }
  void on_drain() { peer_.send("the server goes down\n"); }
  void on_close(tr::CloseReason) { room_.leave(peer_.id()); }

 private:
  tr::Peer peer_;
  Room& room_;
};

int main(int argc, char** argv) {
  Room room;  // outlives the server
  tr::Server server;
  server.serve<Member>(argc > 1 ? argv[1] : "tcp://127.0.0.1:7000", tr::lines(), {.name = "chat"},
                       room);
  return server.run([&server] { std::cout << "listening on " << server.urls()[0] << std::endl; });
}
