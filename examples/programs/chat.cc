// A chat with names and rooms. Who is silent is warned, and closed later; who does not read is
// closed, and the others do not notice.
//
//   example_chat [URL [SECONDS]]         then nc from several terminals; SECONDS: of silence
#include <chrono>
#include <iostream>
#include <map>
#include <mutex>
#include <string>
#include <unordered_map>

#include "trireme/trireme.h"

namespace tr = trireme;

struct Chat {
  const std::chrono::milliseconds silence_max;
  std::mutex mutex;
  std::map<std::string, std::unordered_map<tr::ConnectionId, tr::Peer>>
      rooms;  // guarded by `mutex`

  // To all others in the room. A push never waits, so the lock may be held.
  void say(const std::string& room, const tr::Peer& speaker, const std::string& line) {
    const std::lock_guard lock(mutex);
    for (const auto& [id, peer] : rooms[room]) {
      if (id != speaker.id()) peer.send(line + "\n", tr::Overflow::kClose);
    }
  }
  void move(const tr::Peer& peer, const std::string& from, const std::string& to) {
    const std::lock_guard lock(mutex);
    rooms[from].erase(peer.id());
    if (rooms[from].empty()) rooms.erase(from);
    if (!to.empty()) rooms[to].emplace(peer.id(), peer);
  }
};

class Member {
 public:
  Member(tr::Peer peer, Chat& chat) : peer_(std::move(peer)), chat_(chat) {
    peer_.send("welcome: /name NAME, /room ROOM, /quit, or say something\n");
    enter("hall");
  }
  tr::Answer on_request(const tr::Request& request) {
    wait_for_more();
    const std::string line = request.own();
    if (line == "/quit") return tr::Answer("bye").close_after();
    if (line.starts_with("/room ")) return enter(line.substr(6));
    if (line.starts_with("/name ")) {
      chat_.say(room_, peer_, name_ + " is called " + line.substr(6));
      name_ = line.substr(6);
    } else {
      chat_.say(room_, peer_, name_ + ": " + line);
    }
    return tr::no_answer();
  }
  void on_timer(uint64_t) { peer_.send("are you still here?\n"); }
  void on_drain() { peer_.send("the server goes down\n"); }
  void on_close(tr::CloseReason reason) {
    chat_.say(room_, peer_, name_ + " has left: " + std::string(tr::to_string(reason)));
    chat_.move(peer_, room_, "");
  }

 private:
  tr::Answer enter(const std::string& room) {
    wait_for_more();
    chat_.move(peer_, room_, room);
    room_ = room;
    chat_.say(room_, peer_, name_ + " is here");
    return "you are in " + room_;
  }
  void wait_for_more() { peer_.after(chat_.silence_max / 2, 1); }  // moves the timer

  tr::Peer peer_;
  Chat& chat_;
  std::string room_, name_ = "somebody";
};

int main(int argc, char** argv) {
  Chat chat{std::chrono::milliseconds(argc > 2 ? std::stoi(argv[2]) * 1000 : 600'000), {}, {}};
  tr::Server server;
  // The warning is a push, and does not count as a sign of life.
  const tr::Limits limits{.idle_time_max = chat.silence_max, .push_is_activity = false};
  server.serve<Member>(argc > 1 ? argv[1] : "tcp://127.0.0.1:7000", tr::lines(),
                       {.limits = limits, .name = "chat"}, chat);
  return server.run([&] { std::cout << "listening on " << server.urls()[0] << std::endl; });
}
