#include "load/load.h"

#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>

#include "load/clocks.h"

namespace load {
namespace {

std::unique_ptr<Traffic> make_traffic(const LoadOptions& options) {
  switch (options.scenario) {
    case Scenario::kLines:
      return make_line_traffic(options.block_microseconds);
    case Scenario::kScript:
      return make_script_traffic(*options.script);
    case Scenario::kHttp:
      return make_http_traffic(options.web, options.bytes);
    case Scenario::kWebSocket:
      return make_websocket_traffic(options.web, options.bytes);
    case Scenario::kStream:
      if (options.one_way) return make_one_way_traffic(options.bytes);
      break;
    case Scenario::kEcho:
    case Scenario::kChurn:
    case Scenario::kIdle:
      break;
  }
  return make_echo_traffic(options.framing, options.bytes);
}

// Of `all`, those whose number is `part` modulo `parts`.
uint32_t share_of(uint32_t all, const LoadOptions& options) {
  return all > options.part ? (all - options.part - 1) / options.parts + 1 : 0;
}

uint32_t active_of(const LoadOptions& options) {
  return options.active == 0 ? options.connections : options.active;
}

}  // namespace

Load::Load(const Endpoint& server, const LoadOptions& options)
    : server_(server),
      options_(options),
      traffic_(make_traffic(options_)),
      connections_(share_of(options.connections, options)),
      input_(Traffic::kReceiveBytes),
      random_(options.part + 1),
      schedule_(options.rate, active_of(options)),
      epoll_fd_(epoll_create1(EPOLL_CLOEXEC)),
      active_count_(share_of(active_of(options), options)),
      alive_count_(static_cast<uint32_t>(connections_.size())) {
  if (epoll_fd_ < 0) end_of_load("cannot make an epoll set");
  if (server_.is_tls) {
    auto made = make_tls_client(options_.tls, server_.host);
    if (made) tls_ = std::move(made.value());
    if (!made) tally_.note(made.error().message);
  }
  for (uint32_t i = 0; i < connections_.size(); ++i) {
    connections_[i].index = i * options.parts + options.part;
    if (is_active(i)) connections_[i].pending.resize(options.depth);
  }
}

Load::~Load() {
  for (Connection& connection : connections_) {
    if (connection.fd >= 0) hang_up(connection);
  }
  close(epoll_fd_);
}

void Load::run_until(int64_t deadline_ns) {
  int64_t now = now_ns();
  if (!schedule_.begun()) schedule_.begin(now);
  if (!alive()) {
    blocking_sleep_ns(std::max<int64_t>(deadline_ns - now, 0));
    now = now_ns();
  }
  if (!sending_) {
    sending_ = true;
    // Of the thread: sleeps of a fixed rate would otherwise last 50 us longer than asked for.
    prctl(PR_SET_TIMERSLACK, 1UL);
    for (uint32_t i = 0; options_.rate == 0 && i < active_count_; ++i) {
      add_requests(connections_[i], now);
    }
  }
  for (; now < deadline_ns && alive(); now = now_ns()) {
    break_overdue_connects(now);
    int64_t wake = deadline_ns;
    if (options_.rate > 0) {
      send_due(now);
      wake = std::min(wake, schedule_.due_ns_at_place(connections_[schedule_.place()]));
    }
    if (!timers_.empty()) {
      run_timers(now);
      if (!timers_.empty()) wake = std::min(wake, timers_.top().at_ns);
    }
    turn(std::max<int64_t>(wake - now_ns(), 0));
  }
  // What became due during the last turn, which may have lasted longer than it was to.
  if (options_.rate > 0) send_due(std::min(now, deadline_ns));
}

void Load::restart() {
  tally_.restart();
  if (alive_count_ == connections_.size()) return;
  for (Connection& connection : connections_) {
    if (!connection.dead) continue;
    connection.pending.clear();
    if (options_.rate == 0 || !is_active(place_of(connection))) continue;
    while (schedule_.was_due(connection)) ++connection.next_request;
  }
}

void Load::drain(int64_t patience_ns) {
  sending_ = false;
  int64_t now = now_ns();
  const int64_t deadline = now + patience_ns;
  for (; in_flight_count_ > 0 && now < deadline && !interrupted(2); now = now_ns()) {
    break_overdue_connects(now);
    turn(std::min(deadline - now, kLookAtInterruptsNs));
  }
  if (in_flight_count_ > 0) {
    tally_.note(std::to_string(in_flight_count_) + " requests got no reply");
  }
  count_unanswered(now);
}

void Load::count_unanswered(int64_t now) {
  for (Connection& connection : connections_) {
    (connection.dead ? tally_.lost : tally_.unanswered) += connection.pending.count();
    for (; !connection.pending.empty(); connection.pending.pop()) {
      const Pending& request = connection.pending.oldest();
      (request.blocks ? tally_.blocking : tally_.fast).add(now - request.intended_ns);
    }
  }
  in_flight_count_ = 0;
}

void Load::count_unsent() {
  if (options_.rate == 0) return;
  const int64_t now = now_ns();
  for (uint32_t i = 0; i < active_count_; ++i) {
    Connection& connection = connections_[i];
    for (; schedule_.was_due(connection); ++connection.next_request) {
      tally_.fast.add(now - schedule_.due_ns_of_next(connection));
      ++(connection.dead ? tally_.lost : tally_.unsent);
    }
  }
}

void Load::finish_streams(int64_t patience_ns) {
  if (!options_.one_way) return;
  finishing_ = true;
  for (Connection& connection : connections_) {
    if (connection.fd >= 0) end_stream(connection);
  }
  const int64_t deadline = now_ns() + patience_ns;
  for (int64_t now = now_ns(); alive() && now < deadline && !interrupted(2); now = now_ns()) {
    turn(std::min(deadline - now, kLookAtInterruptsNs));
  }
  if (!alive()) return;
  tally_.unanswered += alive_count_;
  tally_.note("the server has not closed " + std::to_string(alive_count_) +
              " streams after their end");
}

void Load::end_stream(Connection& connection) {
  const bool ended = connection.tls == nullptr || connection.tls->end();
  if (ended) shutdown(connection.fd, SHUT_WR);
  if (connection.watches_write == ended) watch(connection, EPOLL_CTL_MOD, !ended);
}

// One wait and what came of it.
void Load::turn(int64_t wait_ns) {
  epoll_event events[512];
  const size_t count = event_wait_.wait(epoll_fd_, events, options_.busy ? 0 : wait_ns);
  for (size_t i = 0; i < count; ++i) {
    handle(connections_[events[i].data.u32], events[i].events);
  }
}

void Load::handle(Connection& connection, uint32_t events) {
  if (connection.connecting) {
    if (go_on_connecting(connection) != Connect::kMade) return;
    if (connection.tls != nullptr) events |= EPOLLOUT;  // what waits for its handshake leaves
  }
  if ((events & ~static_cast<uint32_t>(EPOLLOUT)) != 0) receive(connection);
  if ((events & EPOLLOUT) == 0 || connection.fd < 0) return;
  if (finishing_) return end_stream(connection);
  flush(connection);
  // What nobody answers goes on when the socket takes more.
  if (options_.one_way && sending_ && connection.fd >= 0) add_requests(connection, now_ns());
}

void Load::receive(Connection& connection) {
  while (receive_some(connection) && connection.tls != nullptr && connection.tls->has_more()) {
  }
}

// True: bytes have come.
bool Load::receive_some(Connection& connection) {
  const ssize_t size = connection.tls != nullptr
                           ? connection.tls->receive(input_)
                           : recv(connection.fd, input_.data(), input_.size(), 0);
  if (size < 0) {
    if (errno != EAGAIN && errno != EINTR) break_connection(connection, connection.problem(errno));
    return false;
  }
  const int64_t now = now_ns();
  if (size == 0) {
    stream_ended(connection, now);
    return false;
  }
  tally_.received_bytes += static_cast<uint64_t>(size);
  const uint32_t before = connection.owed();
  traffic_->receive(connection, {input_.data(), static_cast<size_t>(size)}, now, tally_);
  in_flight_count_ -= before - connection.owed();
  if (connection.fault != nullptr) {
    break_connection(connection, connection.fault);
    return false;
  }
  if (connection.pending.empty()) hang_up_if_wanted(connection);
  // What a protocol answers by itself.
  if (!connection.out.empty() && !connection.watches_write) flush(connection);
  if (sending_ && is_active(place_of(connection)) && !connection.pending.full()) {
    add_requests(connection, now);
  }
  return true;
}

ssize_t Load::send_some(Connection& connection, std::string_view bytes) {
  if (connection.tls != nullptr) return connection.tls->send(bytes);
  return send(connection.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
}

void Load::stream_ended(Connection& connection, int64_t now) {
  if (finishing_) {
    hang_up(connection);
    connection.dead = true;
    --alive_count_;
    return;
  }
  const uint32_t before = connection.pending.count();
  const bool goes_on = traffic_->ended(connection, now, tally_);
  in_flight_count_ -= before - connection.pending.count();
  if (!goes_on || !is_active(place_of(connection))) {
    return break_connection(connection, "closed by the server");
  }
  hang_up(connection);
  if (sending_) add_requests(connection, now);
}

// Queues what may be sent now and writes it in one go.
void Load::add_requests(Connection& connection, int64_t now) {
  const uint32_t before = connection.pending.count();
  while (connection.pending.count() < options_.depth && !connection.dead && !connection.greets) {
    const uint64_t id = schedule_.number_of_next(connection);
    const int64_t intended = options_.rate > 0 ? schedule_.due_ns(id) : now;
    if (intended > now || connection.close_wanted) break;
    if (connection.ready_ns > now) {
      wake_at(connection, connection.ready_ns);
      break;
    }
    if (connection.fd < 0 && !open(connection, now)) {
      if (connection.dead) connection.push({.intended_ns = intended, .id = id});
      break;
    }
    const bool blocks = options_.block_fraction > 0 &&
                        static_cast<double>(random_()) <
                            options_.block_fraction * static_cast<double>(random_.max());
    traffic_->add_request(connection, {.intended_ns = intended, .id = id, .blocks = blocks},
                          tally_);
  }
  if (connection.dead) return;
  in_flight_count_ += connection.pending.count() - before;
  if (connection.fd >= 0) flush(connection);
}

void Load::flush(Connection& connection) {
  if (tls_ != nullptr && connection.connecting) return;  // handle() comes back to it
  for (;;) {
    const std::string_view bytes = traffic_->unwritten(connection);
    if (bytes.empty()) {
      // A connect that has nothing to send tells by this that it is done.
      const bool more =
          connection.connecting || (options_.one_way && sending_ && options_.rate == 0);
      if (connection.watches_write != more) watch(connection, EPOLL_CTL_MOD, more);
      return hang_up_if_wanted(connection);
    }
    const ssize_t sent = send_some(connection, bytes);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) {
        if (connection.connecting) return refuse_to_connect(connection, errno);
        return break_connection(connection, connection.problem(errno));
      }
    } else {
      if (connection.connecting) made(connection);
      tally_.sent_bytes += static_cast<uint64_t>(sent);
      const uint32_t before = connection.pending.count();
      traffic_->wrote(connection, static_cast<size_t>(sent), tally_);
      in_flight_count_ -= before - connection.pending.count();
    }
    // EAGAIN is also the answer while a connection of churn is still being made. TLS takes less
    // than there is, and more at the next call.
    if (sent < 0 || (tls_ == nullptr && sent < static_cast<ssize_t>(bytes.size()))) {
      if (!connection.watches_write) watch(connection, EPOLL_CTL_MOD, true);
      return;
    }
  }
}

void Load::watch(Connection& connection, int operation, bool write) {
  epoll_event event{};
  event.events = write ? EPOLLIN | EPOLLOUT : EPOLLIN;
  event.data.u32 = place_of(connection);
  if (epoll_ctl(epoll_fd_, operation, connection.fd, &event) != 0) {
    end_of_load("cannot watch a connection");
  }
  connection.watches_write = write;
}

void Load::hang_up(Connection& connection) {
  if (connection.tls != nullptr) connection.tls->end();
  connection.tls.reset();
  close(connection.fd);
  connection.fd = -1;
  connection.connecting = false;
  connection.close_wanted = false;
  connection.begun_ns = 0;
  connection.out.clear();
  connection.out_written = 0;
  connection.partial.clear();
  connection.replies = {};
}

// With no request pending, the connection of a churn is done with, and so is one whose script says
// so and whose bytes have left. It is opened again by its next request.
void Load::hang_up_if_wanted(Connection& connection) {
  if (connection.fd < 0 || !connection.pending.empty()) return;
  if (options_.scenario == Scenario::kChurn) return hang_up(connection);
  if (!connection.close_wanted || !traffic_->unwritten(connection).empty()) return;
  hang_up(connection);
  wake_at(connection, now_ns() + 1);  // not in this turn: others want theirs, too
}

void Load::break_connection(Connection& connection, const std::string& why) {
  ++tally_.broken;
  tally_.note("connection " + std::to_string(connection.index) + " broke: " + why);
  if (connection.fd >= 0) hang_up(connection);
  connection.begun_ns = 0;
  connection.dead = true;
  --alive_count_;
  in_flight_count_ -= connection.owed();  // lost: nobody waits for them
  connection.greets = false;
}

// A connection that is full is passed over: add_requests sends what is overdue when a reply makes
// room.
void Load::send_due(int64_t now) {
  schedule_.look(now);
  for (;;) {
    Connection& connection = connections_[schedule_.place()];
    if (schedule_.due_ns_at_place(connection) > now) return;
    add_requests(connection, now);
    schedule_.advance(active_count_);
  }
}

// add_requests() is tried again then. A connection has one timer: what it waits for with it is over
// before it waits for something else.
void Load::wake_at(Connection& connection, int64_t at_ns) {
  if (connection.has_timer) return;
  connection.has_timer = true;
  timers_.push({.at_ns = at_ns, .place = place_of(connection)});
}

void Load::run_timers(int64_t now) {
  while (!timers_.empty() && timers_.top().at_ns <= now) {
    Connection& connection = connections_[timers_.top().place];
    timers_.pop();
    connection.has_timer = false;
    if (!connection.pending.full()) add_requests(connection, now);
  }
}

}  // namespace load
