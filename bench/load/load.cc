#include "load.h"

#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "clocks.h"
#include "endpoint.h"

namespace bench {

const char kLoadOptionsHelp[] =
    "  --connections N   connections open at once (64)\n"
    "  --depth N         requests in flight a connection (1; 64 with --rate; churn: 1)\n"
    "  --bytes N         size of a message of echo and churn (64)\n"
    "  --block FRACTION  this part of the lines asks the server to block (0) ...\n"
    "  --block-us N      ... for so many microseconds (20000)\n"
    "  --sources N       spread connections over 127.0.0.1 to 127.0.0.N (1; churn: 16)\n";

LoadOptions take_load_options(Arguments& arguments, std::string_view scenario) {
  LoadOptions options;
  if (scenario == "lines") {
    options.scenario = Scenario::kLines;
  } else if (scenario == "churn") {
    options.scenario = Scenario::kChurn;
  } else if (scenario != "echo") {
    fail_usage("the scenario is one of echo, lines, churn");
  }
  const bool churn = options.scenario == Scenario::kChurn;
  options.rate = arguments.number("--rate", 0, 0, 1e8);
  options.connections = static_cast<uint32_t>(arguments.number("--connections", 64, 1, 1e6));
  const double depth = options.rate > 0 ? 64 : 1;
  options.depth = static_cast<uint32_t>(arguments.number("--depth", churn ? 1 : depth, 1, 1e6));
  if (churn && options.depth != 1) fail_usage("churn has depth 1: one request a connection");
  options.bytes = static_cast<uint64_t>(arguments.number("--bytes", 64, 1, 1 << 30));
  options.sources = static_cast<uint32_t>(arguments.number("--sources", churn ? 16 : 1, 1, 250));
  options.block_fraction = arguments.number("--block", 0, 0, 1);
  options.block_microseconds =
      static_cast<uint32_t>(arguments.number("--block-us", 20'000, 1, 60'000'000));
  if (options.block_fraction > 0 && options.scenario != Scenario::kLines) {
    fail_usage("--block belongs to the scenario lines");
  }
  return options;
}

namespace {

std::unique_ptr<Traffic> make_traffic(const LoadOptions& options) {
  if (options.scenario == Scenario::kLines) return make_line_traffic(options.block_microseconds);
  return make_echo_traffic(options.bytes);
}

}  // namespace

Load::Load(const sockaddr_in& server, const LoadOptions& options)
    : server_(server),
      options_(options),
      traffic_(make_traffic(options)),
      connections_(options.connections),
      input_(Traffic::kReceiveBytes),
      epoll_fd_(epoll_create1(EPOLL_CLOEXEC)),
      alive_count_(options.connections) {
  if (epoll_fd_ < 0) {
    std::perror("epoll_create1");
    std::exit(1);
  }
  // Sleeps of a fixed rate would otherwise last 50 us longer than asked for.
  prctl(PR_SET_TIMERSLACK, 1UL);
  for (uint32_t i = 0; i < options.connections; ++i) {
    connections_[i].index = i;
    connections_[i].pending.resize(options.depth);
  }
}

Load::~Load() {
  for (Connection& connection : connections_) {
    if (connection.fd >= 0) close(connection.fd);
  }
  close(epoll_fd_);
}

bool Load::connect_all() {
  if (options_.scenario == Scenario::kChurn) return true;
  for (Connection& connection : connections_) {
    connection.fd = open_client(server_, connection.index, options_.sources, Connecting::kWait);
    if (connection.fd < 0) {
      std::fprintf(stderr, "connection %u: %s\n", connection.index, std::strerror(errno));
      return false;
    }
    watch(connection, EPOLL_CTL_ADD, false);
  }
  return true;
}

void Load::run_until(int64_t deadline_ns) {
  sending_ = true;
  int64_t now = now_ns();
  if (start_ns_ == 0) start_ns_ = now;
  if (options_.rate == 0) {
    for (Connection& connection : connections_) add_requests(connection, now);
  }
  for (; now < deadline_ns && alive(); now = now_ns()) {
    int64_t wake = deadline_ns;
    if (options_.rate > 0) {
      send_due(now);
      wake = std::min(wake, due_ns(next_due_));
    }
    turn(std::max<int64_t>(wake - now_ns(), 0));
  }
  sending_ = false;
}

void Load::drain(int64_t patience_ns) {
  const int64_t deadline = now_ns() + patience_ns;
  for (int64_t now = now_ns(); in_flight_count_ > 0 && now < deadline; now = now_ns()) {
    turn(deadline - now);
  }
  tally_.unanswered += in_flight_count_;
}

void Load::count_unsent() {
  if (options_.rate == 0) return;
  const int64_t now = now_ns();
  for (const Connection& connection : connections_) {
    // next_due_ is where the schedule stood when sending ended.
    uint64_t request = connection.next_request * options_.connections + connection.index;
    for (; request < next_due_; request += options_.connections) {
      tally_.fast.add(now - due_ns(request));
      ++tally_.unsent;
    }
  }
}

// One wait and what came of it.
void Load::turn(int64_t wait_ns) {
  epoll_event events[512];
  const timespec timeout{.tv_sec = wait_ns / kNanosecondsPerSecond,
                         .tv_nsec = wait_ns % kNanosecondsPerSecond};
  const int count = epoll_pwait2(epoll_fd_, events, std::size(events), &timeout, nullptr);
  for (int i = 0; i < count; ++i) {
    handle(connections_[events[i].data.u32], events[i].events);
  }
}

void Load::handle(Connection& connection, uint32_t events) {
  if ((events & ~static_cast<uint32_t>(EPOLLOUT)) != 0) receive(connection);
  if ((events & EPOLLOUT) != 0 && connection.fd >= 0) flush(connection);
}

void Load::receive(Connection& connection) {
  const ssize_t size = recv(connection.fd, input_.data(), input_.size(), 0);
  if (size <= 0) {
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    return break_connection(connection, size == 0 ? "closed by the server" : std::strerror(errno));
  }
  const int64_t now = now_ns();
  const uint32_t before = connection.pending_count;
  traffic_->receive(connection, {input_.data(), static_cast<size_t>(size)}, now, tally_);
  in_flight_count_ -= before - connection.pending_count;
  if (options_.scenario == Scenario::kChurn && connection.pending_count == 0) hang_up(connection);
  if (sending_ && connection.pending_count < options_.depth) add_requests(connection, now);
}

// Queues what may be sent now and writes it in one go.
void Load::add_requests(Connection& connection, int64_t now) {
  const uint32_t before = connection.pending_count;
  while (connection.pending_count < options_.depth && !connection.dead) {
    // Unique among all connections, rising on each, and the place in the schedule of a fixed rate.
    const uint64_t id = connection.next_request * options_.connections + connection.index;
    const int64_t intended = options_.rate > 0 ? due_ns(id) : now;
    if (intended > now || (connection.fd < 0 && !open(connection))) break;
    const bool blocks = options_.block_fraction > 0 &&
                        static_cast<double>(random_()) <
                            options_.block_fraction * static_cast<double>(random_.max());
    traffic_->add_request(connection, {.intended_ns = intended, .id = id, .blocks = blocks});
    ++connection.next_request;
  }
  in_flight_count_ += connection.pending_count - before;
  if (connection.pending_count > before) flush(connection);
}

void Load::flush(Connection& connection) {
  for (;;) {
    const std::string_view bytes = traffic_->unwritten(connection);
    if (bytes.empty()) {
      if (connection.watches_write) watch(connection, EPOLL_CTL_MOD, false);
      return;
    }
    const ssize_t sent = send(connection.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) return break_connection(connection, std::strerror(errno));
    } else {
      traffic_->wrote(connection, static_cast<size_t>(sent));
    }
    // EAGAIN is also the answer while a connection of churn is still being made.
    if (sent < static_cast<ssize_t>(bytes.size())) {
      if (!connection.watches_write) watch(connection, EPOLL_CTL_MOD, true);
      return;
    }
  }
}

bool Load::open(Connection& connection) {
  connection.fd = open_client(server_, opened_count_++, options_.sources, Connecting::kStart);
  if (connection.fd < 0) {
    break_connection(connection, std::strerror(errno));
    return false;
  }
  watch(connection, EPOLL_CTL_ADD, false);
  return true;
}

void Load::watch(Connection& connection, int operation, bool write) {
  epoll_event event{};
  event.events = write ? EPOLLIN | EPOLLOUT : EPOLLIN;
  event.data.u32 = connection.index;
  if (epoll_ctl(epoll_fd_, operation, connection.fd, &event) != 0) {
    std::perror("epoll_ctl");
    std::exit(1);
  }
  connection.watches_write = write;
}

void Load::hang_up(Connection& connection) {
  close(connection.fd);
  connection.fd = -1;
}

void Load::break_connection(Connection& connection, const char* why) {
  if (tally_.broken++ < 3) {
    std::fprintf(stderr, "connection %u broke: %s\n", connection.index, why);
  }
  if (connection.fd >= 0) hang_up(connection);
  connection.dead = true;
  --alive_count_;
  in_flight_count_ -= connection.pending_count;
  connection.pending_count = 0;
}

int64_t Load::due_ns(uint64_t global_request) const {
  return start_ns_ +
         static_cast<int64_t>(static_cast<double>(global_request) *
                              (static_cast<double>(kNanosecondsPerSecond) / options_.rate));
}

// Request n of the schedule belongs to connection n modulo the connections. One that is full keeps
// its place: add_requests sends what is overdue when a reply makes room.
void Load::send_due(int64_t now) {
  for (; due_ns(next_due_) <= now; ++next_due_) {
    add_requests(connections_[next_due_ % options_.connections], now);
  }
}

}  // namespace bench
