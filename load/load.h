// The load: many client connections of one server, driven by one thread and one epoll set. Closed
// loop (a reply allows the next request) or fixed rate (requests are due by the clock, and latency
// counts from when a request was due, so that a server which stalls cannot hide what it delayed).
//
// Part of the load engine. A load of several threads is several of these, each with every parts-th
// connection; all else is as if there were one. All functions: the thread of this load.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <queue>
#include <random>
#include <string>
#include <vector>

#include "load/connection.h"
#include "load/endpoint.h"
#include "load/event_wait.h"
#include "load/schedule.h"
#include "load/tls_client.h"
#include "load/traffic.h"
#include "load/web_traffic.h"

namespace load {

enum class Scenario { kEcho, kLines, kChurn, kIdle, kStream, kScript, kHttp, kWebSocket };

struct LoadOptions {
  Scenario scenario = Scenario::kEcho;
  uint32_t connections = 64;  // open at once, of all parts
  uint32_t active = 0;        // of them send; the rest is idle. 0: all
  uint32_t depth = 1;         // requests in flight a connection
  uint64_t bytes = 64;        // a message, without what the codec adds
  Framing framing;
  double rate = 0;                       // requests a second of all parts; 0 is a closed loop
  double block_fraction = 0;             // of the lines asks the server to block ...
  uint32_t block_microseconds = 20'000;  // ... for this long
  bool one_way = false;                  // stream: nothing comes back
  bool busy = false;                     // looks for replies again and again, and never sleeps
  std::shared_ptr<const Script> script;  // owners: all parts, and who has read it
  WebOptions web;                        // http and ws
  uint32_t sources = 1;                  // source addresses
  std::string congestion;
  TlsClientOptions tls{};            // of a server whose URL asks for it
  std::chrono::nanoseconds ramp{0};  // connections are opened over this time
  std::chrono::nanoseconds connect_time_max = std::chrono::seconds(10);
  uint32_t part = 0;
  uint32_t parts = 1;
  // How often the user has asked for the end: once ends connecting and sending, twice the wait for
  // replies. Outlives the load; may be left out.
  const std::atomic<int>* interrupts = nullptr;
};

class Load {
 public:
  Load(const Endpoint& server, const LoadOptions& options);
  ~Load();
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  // Opens all connections (churn opens its own later). False: tally().problem says why.
  bool connect_all();
  // How many are open; any thread.
  uint32_t connected_count() const { return connected_count_.load(std::memory_order_relaxed); }
  // When request 0 of a fixed rate is due: the same for all parts. Else the first run begins it.
  void begin_schedule(int64_t start_ns) { schedule_.begin(start_ns); }
  // Sends and receives until then, or until no connection is alive. Requests stay in flight, so a
  // following call goes on smoothly. Of a load that is dead only the schedule goes on.
  void run_until(int64_t deadline_ns);
  // Ends a warm-up: counts anew, and forgets what was lost until then.
  void restart();
  // Sends nothing new and waits for every reply in flight, at most so long. What has not come by
  // then, and what was lost with its connection, counts with the latency it has reached.
  void drain(int64_t patience_ns);
  // At a fixed rate: what is due and was never sent counts with the latency it has reached.
  void count_unsent();
  // One way: ends every stream and waits, at most so long, until the server has read to its end
  // and closed. Others: nothing.
  void finish_streams(int64_t patience_ns);

  Tally& tally() { return tally_; }
  bool alive() const { return alive_count_ > 0; }

 private:
  struct Timer {
    int64_t at_ns;
    uint32_t place;
    bool operator>(const Timer& other) const { return at_ns > other.at_ns; }
  };
  using Timers = std::priority_queue<Timer, std::vector<Timer>, std::greater<>>;

  static constexpr int64_t kLookAtInterruptsNs = 100'000'000;

  // Of those that are idle: servers close whoever never says anything.
  void say_once(Connection& connection);
  bool says_once() const {
    return options_.scenario == Scenario::kIdle || options_.scenario == Scenario::kHttp;
  }
  bool is_active(uint32_t place) const { return place < active_count_; }
  uint32_t place_of(const Connection& connection) const {
    return connection.index / options_.parts;
  }
  bool interrupted(int times) const {
    return options_.interrupts != nullptr && options_.interrupts->load() >= times;
  }

  // Connecting: load_connect.cc.
  struct Connects {
    int64_t start_ns;
    uint32_t next = 0;    // the first that is not begun
    uint32_t oldest = 0;  // the first that is not done
    uint32_t under_way = 0;
    int64_t wake_ns = 0;
    int64_t ready_ns = 0;  // of the last one
  };
  bool start_connects(Connects& state);
  bool connects_in_time(Connects& state);
  bool all_greeted();
  enum class Connect { kMade, kUnderWay, kBroken };
  Connect go_on_connecting(Connection& connection);
  Connect shake_hands(Connection& connection);
  void made(Connection& connection);
  void refuse_to_connect(Connection& connection, int error);
  void break_overdue_connects(int64_t now);
  bool open(Connection& connection, int64_t now);

  void turn(int64_t wait_ns);
  void handle(Connection& connection, uint32_t events);
  void receive(Connection& connection);
  bool receive_some(Connection& connection);
  ssize_t send_some(Connection& connection, std::string_view bytes);
  void end_stream(Connection& connection);
  void add_requests(Connection& connection, int64_t now);
  void flush(Connection& connection);
  void watch(Connection& connection, int operation, bool write);
  void hang_up(Connection& connection);
  void hang_up_if_wanted(Connection& connection);
  void stream_ended(Connection& connection, int64_t now);
  void break_connection(Connection& connection, const std::string& why);
  void count_unanswered(int64_t now);
  void send_due(int64_t now);
  void wake_at(Connection& connection, int64_t at_ns);
  void run_timers(int64_t now);

  const Endpoint server_;
  const LoadOptions options_;
  const std::unique_ptr<Traffic> traffic_;
  std::unique_ptr<TlsClient> tls_;  // null: plain
  std::vector<Connection> connections_;
  std::vector<char> input_;
  std::minstd_rand random_;
  Tally tally_;
  EventWait event_wait_;
  Schedule schedule_;
  Timers timers_;  // connections that wait for a pause of their script, or for a backlog
  int epoll_fd_ = -1;
  bool sending_ = false;
  bool finishing_ = false;
  uint32_t active_count_ = 0;
  uint32_t alive_count_ = 0;
  uint64_t in_flight_count_ = 0;
  std::atomic<uint32_t> connected_count_{0};
  uint32_t opened_count_ = 0;  // spreads over the source addresses
  int64_t looked_ns_ = 0;      // when connects were last looked at
};

}  // namespace load
