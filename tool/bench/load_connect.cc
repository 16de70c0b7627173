// How the connections of a load are made: many under way at once, each in its time.
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "tool/bench/clocks.h"
#include "tool/bench/load.h"

namespace bench {
namespace {

constexpr uint32_t kUnderWayMax = 128;  // a listener's backlog may be small
constexpr int64_t kRetryNs = 1'000'000;

}  // namespace

bool Load::connect_all() {
  if (options_.scenario == Scenario::kChurn) return true;
  Connects state{.start_ns = now_ns()};
  while (state.next < connections_.size() || state.under_way > 0) {
    if (interrupted(1)) {
      tally_.note("interrupted while connecting");
      return false;
    }
    state.wake_ns = now_ns() + kLookAtInterruptsNs;
    if (!start_connects(state)) return false;
    epoll_event events[kUnderWayMax];
    const timespec timeout = timespec_of(std::max<int64_t>(state.wake_ns - now_ns(), 0));
    const int count = epoll_pwait2(epoll_fd_, events, std::size(events), &timeout, nullptr);
    for (int i = 0; i < count; ++i) {
      Connection& connection = connections_[events[i].data.u32];
      if (!connection.connecting) {
        handle(connection, events[i].events);  // gone already, or a greeting
      } else if (finish_connect(connection)) {
        --state.under_way;
      } else {
        return false;
      }
    }
    if (!connects_in_time(state)) return false;
  }
  return tally_.broken == 0;
}

// Begins those that are due. `wake_ns` falls to when there is more to do.
bool Load::start_connects(Connects& state) {
  for (; state.next < connections_.size() && state.under_way < kUnderWayMax; ++state.next) {
    Connection& connection = connections_[state.next];
    const double share = static_cast<double>(connection.index) / options_.connections;
    const int64_t due =
        state.start_ns + static_cast<int64_t>(static_cast<double>(options_.ramp.count()) * share);
    const int64_t now = now_ns();
    if (due > now) {
      state.wake_ns = std::min(state.wake_ns, due);
      return true;
    }
    if (!open(connection, now)) {
      state.wake_ns = std::min(state.wake_ns, connection.ready_ns);
      return !connection.dead;  // else the backlog is full
    }
    connection.connecting = true;
    watch(connection, EPOLL_CTL_MOD, true);
    ++state.under_way;
  }
  return true;
}

bool Load::connects_in_time(Connects& state) {
  const auto oldest = [&]() -> const Connection& { return connections_[state.oldest]; };
  while (state.oldest < state.next && !oldest().connecting) ++state.oldest;
  if (state.oldest == connections_.size() || oldest().begun_ns == 0) return true;
  if (now_ns() - oldest().begun_ns < options_.connect_time_max.count()) return true;
  return refuse_to_connect(oldest(), ETIMEDOUT);
}

bool Load::finish_connect(Connection& connection) {
  const int error = connect_error(connection.fd);
  if (error != 0) return refuse_to_connect(connection, error);
  connection.connecting = false;
  watch(connection, EPOLL_CTL_MOD, false);
  // Read by whoever shows progress; nothing depends on it.
  connected_count_.fetch_add(1, std::memory_order_relaxed);
  return true;
}

bool Load::refuse_to_connect(const Connection& connection, int error) {
  std::string why = std::strerror(error);
  if (error == EADDRNOTAVAIL) why += ": no free port is left, --sources N takes more addresses";
  if (error == ETIMEDOUT) why = "no connection within the connect timeout";
  tally_.note("connection " + std::to_string(connection.index) + ": " + why);
  return false;
}

// False: the connection is dead, or its `ready_ns` says when to try again.
bool Load::open(Connection& connection, int64_t now) {
  const uint32_t source = opened_count_++ * options_.parts + options_.part;
  connection.fd = open_client(
      server_, {.source = source, .sources = options_.sources, .congestion = options_.congestion});
  const int error = errno;
  if (connection.begun_ns == 0) connection.begun_ns = now;
  if (connection.fd < 0 && error == EAGAIN) {
    connection.ready_ns = now + kRetryNs;
    wake_at(connection, connection.ready_ns);
    return false;
  }
  if (connection.fd < 0) {
    refuse_to_connect(connection, error);
    break_connection(connection, std::strerror(error));
    return false;
  }
  ++tally_.opened;
  watch(connection, EPOLL_CTL_ADD, false);
  return true;
}

}  // namespace bench
