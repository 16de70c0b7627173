// How the connections of a load are made: many under way at once, each in its time.
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "load/clocks.h"
#include "load/load.h"

namespace load {
namespace {

constexpr uint32_t kUnderWayMax = 128;  // a listener's backlog may be small
constexpr int64_t kRetryNs = 1'000'000;

}  // namespace

bool Load::connect_all() {
  if (server_.is_tls && tls_ == nullptr) return false;
  if (options_.scenario == Scenario::kChurn) return true;
  Connects state{.start_ns = now_ns()};
  // Those that are idle from then on have their answer at the end, unless nobody gives it.
  const auto answers_due = [&] {
    return in_flight_count_ > 0 && now_ns() - state.ready_ns < options_.connect_time_max.count();
  };
  while (state.next < connections_.size() || state.under_way > 0 || answers_due()) {
    if (interrupted(1)) {
      tally_.note("interrupted while connecting");
      return false;
    }
    state.wake_ns = now_ns() + kLookAtInterruptsNs;
    if (!start_connects(state)) return false;
    epoll_event events[kUnderWayMax];
    const size_t count = event_wait_.wait(epoll_fd_, events, state.wake_ns - now_ns());
    for (size_t i = 0; i < count; ++i) {
      Connection& connection = connections_[events[i].data.u32];
      if (!connection.connecting) {
        handle(connection, events[i].events);  // gone already, or a greeting
        continue;
      }
      const Connect connect = go_on_connecting(connection);
      if (connect == Connect::kBroken) return false;
      if (connect == Connect::kMade) {
        watch(connection, EPOLL_CTL_MOD, false);
        --state.under_way;
        // Read by whoever shows progress; nothing depends on it.
        connected_count_.fetch_add(1, std::memory_order_relaxed);
        if (says_once() && !is_active(place_of(connection))) say_once(connection);
        if (connection.greets) flush(connection);
        state.ready_ns = now_ns();
      }
    }
    if (!connects_in_time(state)) return false;
  }
  return tally_.broken == 0 && all_greeted();
}

bool Load::all_greeted() {
  for (const Connection& connection : connections_) {
    if (!connection.greets) continue;
    tally_.note("connection " + std::to_string(connection.index) +
                ": its handshake has no answer within the connect timeout");
    return false;
  }
  return true;
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
    watch(connection, EPOLL_CTL_MOD, true);
    ++state.under_way;
  }
  return true;
}

bool Load::connects_in_time(Connects& state) {
  const auto oldest = [&]() -> Connection& { return connections_[state.oldest]; };
  while (state.oldest < state.next && !oldest().connecting) ++state.oldest;
  if (state.oldest == connections_.size() || oldest().begun_ns == 0) return true;
  if (now_ns() - oldest().begun_ns < options_.connect_time_max.count()) return true;
  refuse_to_connect(oldest(), ETIMEDOUT);
  return false;
}

Load::Connect Load::go_on_connecting(Connection& connection) {
  if (connection.tls != nullptr) return shake_hands(connection);
  const int error = connect_error(connection.fd);
  if (error != 0) {
    refuse_to_connect(connection, error);
    return Connect::kBroken;
  }
  if (tls_ != nullptr) {
    connection.tls = tls_->begin(connection.fd);
    return shake_hands(connection);
  }
  made(connection);
  return Connect::kMade;
}

Load::Connect Load::shake_hands(Connection& connection) {
  const TlsStream::Step step = connection.tls->shake_hands();
  if (step == TlsStream::Step::kFailed) {
    const std::string problem = connection.tls->problem();
    break_connection(connection, problem);
    return Connect::kBroken;
  }
  if (step == TlsStream::Step::kDone) {
    ++tally_.handshakes;
    if (connection.tls->is_resumed()) ++tally_.resumed;
    made(connection);
    return Connect::kMade;
  }
  const bool writes = step == TlsStream::Step::kAwaitsWriting;
  if (connection.watches_write != writes) watch(connection, EPOLL_CTL_MOD, writes);
  return Connect::kUnderWay;
}

void Load::made(Connection& connection) {
  connection.connecting = false;
  connection.begun_ns = 0;
  ++tally_.opened;
  traffic_->opened(connection);
  if (connection.greets) ++in_flight_count_;
}

// A connection that is opened again has the same time for it as at the start.
void Load::break_overdue_connects(int64_t now) {
  if (now - looked_ns_ < kLookAtInterruptsNs) return;
  looked_ns_ = now;
  for (Connection& connection : connections_) {
    const int64_t begun = connection.begun_ns;
    if (begun == 0 || now - begun < options_.connect_time_max.count()) continue;
    refuse_to_connect(connection, ETIMEDOUT);
    if (!connection.pending.empty()) continue;
    // Its backlog was full: the request that is to be sent waits for a socket.
    connection.push(
        {.intended_ns = options_.rate > 0 ? schedule_.due_ns_of_next(connection) : begun});
  }
}

void Load::say_once(Connection& connection) {
  connection.pending.resize(1);
  traffic_->add_request(connection, {.intended_ns = now_ns(), .id = connection.index}, tally_);
  ++in_flight_count_;
  flush(connection);
}

void Load::refuse_to_connect(Connection& connection, int error) {
  std::string why = std::strerror(error);
  if (error == EADDRNOTAVAIL) {
    why += ": no free port is left";
    if (server_.is_loopback4() && options_.sources < kSourcesMax) {
      why += ", --sources N takes more addresses";
    }
  }
  if (error == ETIMEDOUT) why = "no connection within the connect timeout";
  tally_.note("connection " + std::to_string(connection.index) + ": " + why);
  break_connection(connection, why);
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
    return false;
  }
  connection.connecting = true;
  watch(connection, EPOLL_CTL_ADD, tls_ != nullptr);  // by this a connect tells that it is done
  return true;
}

}  // namespace load
