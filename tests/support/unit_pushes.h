// Goal: pushes meet a full socket and an empty write queue, for each kind of driver. Method: one
// I/O worker, turned by hand, and a socket pair whose server's end the test fills before it pushes.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "connection/io_worker.h"
#include "server_stats.h"

namespace trireme { inline namespace v0 { namespace unit {

class FullSocket {
 public:
  using MakeDriver = std::unique_ptr<Driver> (*)(Kernel&, Buffers&, LoopCounters&);

  explicit FullSocket(MakeDriver make_driver, size_t budget = kBudgetStandard, size_t clients = 1) {
    auto listening = std::make_unique<Listening>();
    listening->codec = lines();
    listening->service = std::make_shared<detail::HandlerService<Answer (*)(const Request&)>>(
        [](const Request&) -> Answer { return "answer"; });
    listening->options.limits.write_bytes_high = budget;
    listening->prepare(Dispatch::kInline);
    listenings_.push_back(std::move(listening));
    context_ = ContextRef(new ServerContext(
        real_platform(), {.dispatch = Dispatch::kInline, .buffer_bytes_max = budget}, 1, clients));
    EventLoop& loop = context().loop(0);
    loop.use_driver(make_driver(real_platform().kernel, context().buffers, loop.counters));
    worker_ = std::make_unique<IoWorker>(context(), 0, listenings_);
    for (uint32_t i = 0; i < clients; ++i) enter(i);
  }
  ~FullSocket() {
    peers_.clear();
    context().loop(0).post(std::make_unique<PlainMail>(kMailDrain));
    context().loop(0).post(std::make_unique<PlainMail>(kMailCut));
    for (int i = 0; i < 3; ++i) turn();
    const Stats stats = collect_stats(context(), 0);
    EXPECT_EQ(stats.slots_made, stats.slots_gone);
    worker_.reset();
    for (const int client : clients_) ::close(client);
  }

  const Peer& peer() const { return peers_[0]; }
  int64_t bytes_charged() { return context().buffers.bytes_now(); }
  // The stream of the server ends, with nothing in front of that.
  bool ends() {
    const TimePoint deadline = real_platform().clock.now() + std::chrono::seconds(5);
    char byte = 0;
    ssize_t bytes = -1;
    while (bytes < 0 && real_platform().clock.now() < deadline) {
      turn();
      bytes = ::recv(clients_[0], &byte, 1, 0);
    }
    return bytes == 0;
  }
  void turn() { worker_->turn_until_idle(); }
  // `apart`: the loop turns between two pushes.
  void push(std::string bytes, Overflow overflow, bool apart) {
    EXPECT_EQ(peers_[0].send(std::move(bytes), overflow), SendResult::kQueued);
    if (apart) turn();
  }
  void make_room(size_t client = 0) {
    char buffer[4096];
    while (::recv(clients_[client], buffer, sizeof(buffer), 0) > 0) filler_ = 0;
  }
  // What the client gets behind the filler, up to `last`.
  std::string hear(const std::string& last, size_t client = 0) {
    std::string all;
    const TimePoint deadline = real_platform().clock.now() + std::chrono::seconds(5);
    while (!all.ends_with(last) && real_platform().clock.now() < deadline) {
      turn();
      char buffer[4096];
      const ssize_t bytes = ::recv(clients_[client], buffer, sizeof(buffer), 0);
      if (bytes > 0) all.append(buffer, static_cast<size_t>(bytes));
    }
    return all.substr(std::min(all.size(), filler_));
  }
  const std::vector<Peer>& peers() const { return peers_; }

 private:
  ServerContext& context() { return *context_.get(); }
  void enter(uint32_t slot) {
    int both[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, both), 0);
    clients_.push_back(both[0]);
    EXPECT_TRUE(context().places.enter());
    context().books(0).accepted.add();
    context().loop(0).post(std::make_unique<AdoptMail>(both[1], 0, SocketAddress{}));
    turn();
    peers_.emplace_back(ConnectionId::make(context().roster.home(0), slot, 1), context_);
    EXPECT_TRUE(peers_.back().connected());
    const std::string piece(1000, '.');
    filler_ = 0;
    while (::send(both[1], piece.data(), piece.size(), MSG_NOSIGNAL) > 0) filler_ += piece.size();
    EXPECT_GT(filler_, 0u);
  }

  std::vector<std::unique_ptr<Listening>> listenings_;
  ContextRef context_;
  std::unique_ptr<IoWorker> worker_;
  std::vector<Peer> peers_;
  std::vector<int> clients_;
  size_t filler_ = 0;  // in the socket of each
};

inline void expect_latest_is_replaced(FullSocket::MakeDriver make_driver) {
  for (const bool apart : {true, false}) {
    FullSocket socket(make_driver);
    socket.push("old ", Overflow::kLatest, apart);
    socket.push("older than new ", Overflow::kLatest, apart);
    socket.push("new", Overflow::kLatest, apart);
    EXPECT_EQ(socket.hear("new"), "new") << (apart ? "apart" : "in one turn");
  }
}

// What has another policy stays, in its place; so does what has begun to leave.
inline void expect_others_stay(FullSocket::MakeDriver make_driver) {
  FullSocket socket(make_driver);
  socket.push("old ", Overflow::kLatest, true);
  socket.push("plain ", Overflow::kReject, true);
  socket.push("new", Overflow::kLatest, true);
  EXPECT_EQ(socket.hear("new"), "plain new");
  const std::string large(4 << 20, 'x');
  FullSocket other(make_driver);
  other.make_room();
  other.push(large, Overflow::kLatest, true);
  other.push(" new", Overflow::kLatest, true);
  EXPECT_EQ(other.hear(" new").size(), large.size() + 4);
}

}}}  // namespace trireme::unit
