// The server under test: a newcomer hears all that has been said so far, and then every new line,
// so that nobody misses one.
//
// It knows nothing of the simulator.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "trireme/trireme.h"

namespace chat {

namespace tr = trireme;

// `Joining::kInTwoSteps` has a bug: whatever is said between the two steps, the newcomer misses.
enum class Joining { kInTwoSteps, kAtOnce };

class Room {
 public:
  explicit Room(Joining joining) : joining_(joining) {}

  void join(const tr::Peer& newcomer) {
    std::unique_lock lock(mutex_);
    newcomer.send(history_);
    if (joining_ == Joining::kInTwoSteps) {
      lock.unlock();
      lock.lock();
    }
    members_.push_back(newcomer);
  }
  void leave(tr::ConnectionId id) {
    const std::lock_guard lock(mutex_);
    std::erase_if(members_, [id](const tr::Peer& member) { return member.id() == id; });
  }
  void say(const std::string& line) {
    const std::lock_guard lock(mutex_);
    const std::string text = std::to_string(++lines_count_) + " " + line + "\n";
    history_ += text;
    for (const tr::Peer& member : members_) member.send(text, tr::Overflow::kClose);
  }

 private:
  const Joining joining_;
  std::mutex mutex_;
  std::string history_;
  uint64_t lines_count_ = 0;
  std::vector<tr::Peer> members_;
};

class Member {
 public:
  Member(tr::Peer peer, Room& room) : peer_(std::move(peer)), room_(room) { room_.join(peer_); }

  tr::Answer on_request(const tr::Request& request) {
    room_.say(request.own());
    return tr::no_answer();
  }
  void on_close(tr::CloseReason) { room_.leave(peer_.id()); }

 private:
  tr::Peer peer_;
  Room& room_;
};

inline void serve(tr::Server& server, const std::string& url, Room& room) {
  server.serve<Member>(url, tr::lines(), {.name = "chat"}, room);
}

}  // namespace chat
