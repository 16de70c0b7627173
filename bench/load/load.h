// The load: many client connections of one server, driven by one thread and one epoll set. Closed
// loop (a reply allows the next request) or fixed rate (requests are due by the clock, and latency
// counts from when a request was due, so that a server which stalls cannot hide what it delayed).
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "arguments.h"
#include "traffic.h"

namespace bench {

enum class Scenario { kEcho, kLines, kChurn };

struct LoadOptions {
  Scenario scenario = Scenario::kEcho;
  uint32_t connections = 64;
  uint32_t depth = 1;                    // requests in flight a connection
  uint64_t bytes = 64;                   // a message of echo and churn
  double rate = 0;                       // requests a second in all; 0 is a closed loop
  uint32_t sources = 1;                  // source addresses
  double block_fraction = 0;             // of the lines asks the server to block ...
  uint32_t block_microseconds = 20'000;  // ... for this long
};

extern const char kLoadOptionsHelp[];
LoadOptions take_load_options(Arguments& arguments, std::string_view scenario);

class Load {
 public:
  Load(const sockaddr_in& server, const LoadOptions& options);
  ~Load();
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  // Opens all connections (churn opens its own later). False: said why on standard error.
  bool connect_all();
  // Sends and receives until then. Requests stay in flight, so a following call goes on smoothly.
  void run_until(int64_t deadline_ns);
  // Sends nothing new and waits for every reply in flight, at most so long.
  void drain(int64_t patience_ns);
  // At a fixed rate: what is due and was never sent counts with the latency it has reached.
  void count_unsent();

  Tally& tally() { return tally_; }
  bool alive() const { return alive_count_ > 0; }

 private:
  void turn(int64_t wait_ns);
  void handle(Connection& connection, uint32_t events);
  void receive(Connection& connection);
  void add_requests(Connection& connection, int64_t now);
  void flush(Connection& connection);
  bool open(Connection& connection);
  void watch(Connection& connection, int operation, bool write);
  void hang_up(Connection& connection);
  void break_connection(Connection& connection, const char* why);
  int64_t due_ns(uint64_t global_request) const;
  void send_due(int64_t now);

  const sockaddr_in server_;
  const LoadOptions options_;
  const std::unique_ptr<Traffic> traffic_;
  std::vector<Connection> connections_;
  std::vector<char> input_;
  std::minstd_rand random_{1};
  Tally tally_;
  int epoll_fd_ = -1;
  bool sending_ = false;
  uint32_t alive_count_ = 0;
  uint64_t in_flight_count_ = 0;
  uint32_t opened_count_ = 0;  // churn: spreads over the source addresses
  int64_t start_ns_ = 0;       // of the schedule of a fixed rate
  uint64_t next_due_ = 0;      // the first request of the schedule that was not yet looked at
};

}  // namespace bench
