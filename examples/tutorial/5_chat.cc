// Step 5: pushes. What one client says, the others hear.
//
//   tutorial_5_chat [URL]
#include <chrono>
#include <iostream>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "trireme/trireme.h"

namespace tr = trireme;
using namespace std::chrono_literals;

// The members of the chat. All sessions share it, so it has a lock.
class Room {
 public:
  // False: the name is taken.
  bool enter(const std::string& name, const tr::Peer& peer) {
    const std::lock_guard lock(mutex_);
    return members_.emplace(name, peer).second;
  }
  void leave(const std::string& name) {
    const std::lock_guard lock(mutex_);
    members_.erase(name);
  }
  // To all but the speaker. send() never blocks, so it may be called with the lock held.
  void tell(const std::string& speaker, const std::string& line) {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, peer] : members_) {
      // A client that does not read is closed, instead of filling the memory.
      if (name != speaker) peer.send(line + "\n", tr::Overflow::kClose);
    }
  }

 private:
  std::mutex mutex_;
  std::map<std::string, tr::Peer> members_;
};

class Member {
 public:
  Member(tr::Peer peer, Room& room) : peer_(std::move(peer)), room_(room) {}

  tr::Answer on_request(const tr::Request& request) {
    const std::string line = request.own();
    peer_.after(5min, kSilence);  // moves the timer, if it is set already
    if (name_.empty()) return enter(line);
    room_.tell(name_, name_ + ": " + line);
    return tr::no_answer();
  }
  void on_timer(uint64_t) { peer_.send("are you still here?\n"); }
  void on_close(tr::CloseReason) {
    if (name_.empty()) return;
    room_.leave(name_);
    room_.tell(name_, name_ + " has left");
  }

 private:
  static constexpr uint64_t kSilence = 1;  // a session may have several timers, each with a tag

  tr::Answer enter(const std::string& name) {
    if (name.empty() || !room_.enter(name, peer_)) return tr::error("choose another name");
    name_ = name;
    room_.tell(name_, name_ + " is here");
    return "welcome " + name_;
  }

  tr::Peer peer_;
  Room& room_;
  std::string name_;
};

int main(int argc, char** argv) {
  Room room;
  tr::Server server;
  server.serve<Member>(argc > 1 ? argv[1] : "tcp://127.0.0.1:7000", tr::lines(), {}, room);
  return server.run([&] { std::cout << "listening on " << server.urls()[0] << std::endl; });
}
