// Goal: timers and calls of a session come in its turn under every policy and driver, whichever
// threads they come from, and end with the connection.
// Method: sessions whose members only their turn guards (ThreadSanitizer would tell), threads that
// call into them while clients come and go.
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/client.h"
#include "support/gate.h"
#include "support/test_server.h"

namespace {

using support::Client;
using support::Gate;
using support::TestServer;
using support::wait_until;
namespace tr = trireme;
using namespace std::chrono_literals;

struct EventRoom {
  std::mutex mutex;
  std::vector<tr::Peer> peers;
  std::atomic<int> overlaps{0}, timers{0}, calls{0}, closed{0}, after_close{0}, owned{0};
  tr::Peer last() {
    const std::lock_guard lock(mutex);
    return peers.empty() ? tr::Peer() : peers.back();
  }
};

// Plain members, and a flag that says if two callbacks run at once.
class EventMember {
 public:
  EventMember(tr::Peer mine, EventRoom& where) : peer_(std::move(mine)), room_(where) {
    const std::lock_guard lock(room_.mutex);
    room_.peers.push_back(peer_);
  }
  tr::Answer on_request(const tr::Request& request) {
    const Turn turn(*this);
    if (request.text() == "tick") peer_.after(1ms, 1);
    if (request.text() == "warn") peer_.after(20ms, 2);
    if (request.text() == "idle") peer_.after(1h, 2);
    return request.own();
  }
  void on_timer(uint64_t tag) {
    const Turn turn(*this);
    ++room_.timers;
    if (tag == 1) peer_.after(1ms, 1);
    if (tag == 2) peer_.send("are you there\n");
  }
  void on_close(tr::CloseReason) {
    const Turn turn(*this);
    is_closed_ = true;
    ++room_.closed;
  }
  void called() {
    const Turn turn(*this);
    ++room_.calls;
  }
  void say(const std::string& line) { peer_.send(line); }

 private:
  struct Turn {
    explicit Turn(EventMember& whose) : member(whose) {
      if (member.is_closed_) ++member.room_.after_close;
      if (std::exchange(member.is_running_, true)) ++member.room_.overlaps;
    }
    ~Turn() {
      ++member.count_;
      member.is_running_ = false;
    }
    EventMember& member;
  };

  tr::Peer peer_;
  EventRoom& room_;
  uint64_t count_ = 0;
  bool is_running_ = false;
  bool is_closed_ = false;
};

// Threads that call into the session of the latest client, each call when the one before has run,
// or was dropped.
class EventCallers {
 public:
  explicit EventCallers(EventRoom& room) {
    for (int i = 0; i < 2; ++i) threads_.emplace_back([this, &room] { run(room); });
  }
  ~EventCallers() { stop(); }
  EventCallers(const EventCallers&) = delete;
  EventCallers& operator=(const EventCallers&) = delete;
  void stop() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

 private:
  void run(EventRoom& room) {
    while (!stop_) {
      const tr::Peer peer = room.last();
      const auto token = std::make_shared<int>();
      peer.call<EventMember>([token](EventMember& self) { self.called(); });
      peer.after(1ms, 3);
      peer.cancel(3);
      while (token.use_count() > 1 && !stop_) std::this_thread::yield();
    }
  }

  std::atomic<bool> stop_{false};
  std::vector<std::thread> threads_;
};

class SessionEventsTest : public support::ServerTest {};

TEST_P(SessionEventsTest, ATimerWarnsAClientThatSaysNothing) {
  EventRoom room;
  TestServer server(options());
  server.serve<EventMember>({}, room);
  server.start();
  Client client(server.url());
  EXPECT_EQ(client.ask("warn"), "warn");
  EXPECT_EQ(client.line(), "are you there");
  EXPECT_EQ(client.ask("x"), "x");
}

TEST_P(SessionEventsTest, ACallFromAnyThreadRunsInTheTurnOfTheSession) {
  EventRoom room;
  TestServer server(options());
  server.serve<EventMember>({}, room);
  server.start();
  Client client(server.url());
  EXPECT_EQ(client.ask("x"), "x");
  const tr::Peer peer = room.last();
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 3; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < support::scaled(200); ++i) {
        const std::string line = std::to_string(thread) + " " + std::to_string(i) + "\n";
        while (peer.call<EventMember>([line](EventMember& self) { self.say(line); }) ==
               tr::CallResult::kFull) {
          std::this_thread::yield();
        }
      }
    });
  }
  std::vector<int> next(3, 0);
  for (int i = 0; i < 3 * support::scaled(200); ++i) {
    const std::string line = client.line();
    ASSERT_GE(line.size(), 3U);
    EXPECT_EQ(std::stoi(line.substr(2)), next[static_cast<size_t>(line[0] - '0')]++);
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_P(SessionEventsTest, OneAtATimeWhileClientsComeAndGo) {
  EventRoom room;
  TestServer server(options());
  server.serve<EventMember>({}, room);
  server.start();
  EventCallers callers(room);
  for (int round = 0; round < support::scaled(40); ++round) {
    Client client(server.url());
    ASSERT_EQ(client.ask("tick"), "tick");
    for (int i = 0; i < 5; ++i) ASSERT_EQ(client.ask("x"), "x");
    if (round % 3 == 0) client.reset();
    if (round % 3 == 1) client.converse("", true);
  }
  {
    Client stays(server.url());  // long enough for a call, however busy the machine is
    ASSERT_EQ(stays.ask("x"), "x");
    EXPECT_TRUE(wait_until([&] { return room.calls > 0; }));
  }
  callers.stop();
  EXPECT_TRUE(wait_until([&] { return room.closed == support::scaled(40) + 1; }));
  EXPECT_EQ(room.overlaps, 0);
  EXPECT_EQ(room.after_close, 0);
}

TEST_P(SessionEventsTest, ACallMayBlockAndOthersGoOn) {
  if (GetParam().dispatch == tr::Dispatch::kInline) return;  // there it holds its loop
  EventRoom room;
  Gate gate;
  TestServer server(options());
  server.serve<EventMember>({}, room);
  server.start();
  const Gate::Opener opener(gate);
  Client first(server.url());
  EXPECT_EQ(first.ask("x"), "x");
  EXPECT_EQ(room.last().post([gate] { gate.wait(); }), tr::CallResult::kQueued);
  EXPECT_TRUE(wait_until([&] { return gate.arrived() == 1; }));
  Client second(server.url());
  EXPECT_EQ(second.ask("y"), "y");
  ASSERT_TRUE(first.send("waits\n"));
  gate.open();
  EXPECT_EQ(first.line(), "waits");
}

// What a call owns ends on a thread that may block, also when the call is never made.
struct EventOwned {
  explicit EventOwned(EventRoom& room) : room_(&room) { ++room_->owned; }
  EventOwned(EventOwned&& other) noexcept : room_(std::exchange(other.room_, nullptr)) {}
  EventOwned(const EventOwned&) = delete;
  EventOwned& operator=(const EventOwned&) = delete;
  ~EventOwned() {
    if (room_ != nullptr) --room_->owned;
  }
  EventRoom* room_;
};

TEST_P(SessionEventsTest, CallsThatWaitGoWithTheConnection) {
  if (GetParam().dispatch == tr::Dispatch::kInline) return;  // the loop stands still meanwhile
  EventRoom room;
  Gate gate;
  TestServer server(options());
  server.serve<EventMember>({}, room);
  server.start();
  const Gate::Opener opener(gate);
  Client client(server.url());
  EXPECT_EQ(client.ask("x"), "x");
  const tr::Peer peer = room.last();
  peer.post([gate] { gate.wait(); });
  EXPECT_TRUE(wait_until([&] { return gate.arrived() == 1; }));
  for (int i = 0; i < 10; ++i) {
    peer.call<EventMember>([owned = EventOwned(room)](EventMember& self) { self.called(); });
  }
  peer.after(1ms, 2);
  EXPECT_EQ(room.owned, 10);
  client.reset();
  EXPECT_TRUE(wait_until([&] { return !peer.connected(); }));
  gate.open();
  EXPECT_TRUE(wait_until([&] { return room.owned == 0; }));
  EXPECT_EQ(room.calls, 0);
  EXPECT_TRUE(wait_until([&] { return room.closed == 1; }));
  EXPECT_EQ(room.timers, 0);
}

TEST_P(SessionEventsTest, BehindAProxyAsElsewhere) {
  EventRoom room;
  tr::Server server(options());
  server.serve<EventMember>("tcp+proxy://127.0.0.1:0", tr::lines(), {}, room);
  ASSERT_TRUE(server.start());
  Client client(server.urls()[0]);
  ASSERT_TRUE(client.send("PROXY TCP4 192.0.2.1 192.0.2.2 4711 80\r\n"));
  EXPECT_EQ(client.ask("warn"), "warn");
  EXPECT_EQ(client.line(), "are you there");
  room.last().call<EventMember>([](EventMember& self) { self.say("called\n"); });
  EXPECT_EQ(client.line(), "called");
}

// Requests of a concurrent session run beside a timer, timers and calls one at a time.
class ConcurrentEvents {
 public:
  static constexpr bool concurrent = true;
  ConcurrentEvents(tr::Peer mine, EventRoom& where, Gate& gate) : gate_(gate), room_(where) {
    const std::lock_guard lock(room_.mutex);
    room_.peers.push_back(std::move(mine));
  }
  tr::Answer on_request(const tr::Request& request) {
    if (request.text() == "wait") gate_.wait();
    return request.own();
  }
  void event() {
    if (is_running_.exchange(true)) ++room_.overlaps;
    ++room_.calls;
    is_running_ = false;
  }

 private:
  Gate& gate_;
  EventRoom& room_;
  std::atomic<bool> is_running_{false};
};

TEST_P(SessionEventsTest, OfAConcurrentSessionRunBesideItsRequests) {
  if (GetParam().dispatch == tr::Dispatch::kInline) return;
  EventRoom room;
  Gate gate;
  TestServer server(options());
  server.serve<ConcurrentEvents>({.ordering = tr::Ordering::kPipelined}, room, gate);
  server.start();
  const Gate::Opener opener(gate);
  Client client(server.url());
  ASSERT_TRUE(client.send("wait\n"));
  EXPECT_TRUE(wait_until([&] { return gate.arrived() == 1; }));
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(room.last().call<ConcurrentEvents>([](ConcurrentEvents& self) { self.event(); }),
              tr::CallResult::kQueued);
  }
  EXPECT_TRUE(wait_until([&] { return room.calls == 20; }));
  EXPECT_EQ(room.overlaps, 0);
  gate.open();
  EXPECT_EQ(client.line(), "wait");
}

INSTANTIATE_TEST_SUITE_P(Setups, SessionEventsTest, ::testing::ValuesIn(support::every_setup()),
                         support::name_of);

}  // namespace
