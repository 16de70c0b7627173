// Goal: the doors of two loops, turned by hand, for each kind of driver. Method: whoever is
// admitted is kept; a kernel that counts.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "accept/bind.h"
#include "accept/loop_door.h"
#include "connection/io_worker.h"
#include "server_stats.h"
#include "support/client.h"
#include "support/faulty_kernel.h"
#include "trireme/trireme.h"

namespace trireme { inline namespace v0 { namespace unit {

using MakeDriver = std::unique_ptr<Driver> (*)(Kernel&, Buffers&, LoopCounters&);

class DoorsFixture : public ::testing::Test, public Adopter {
 protected:
  explicit DoorsFixture(MakeDriver make_driver, size_t connections_max, uint32_t loops = 2,
                        Clock& clock = real_platform().clock)
      : kernel_(real_platform().kernel),
        platform_{kernel_, clock, real_platform().threads},
        context_(new ServerContext(platform_, {}, loops, connections_max)) {
    listening_.options.accepting = Accepting::kLoops;
    listening_.url = "tcp://127.0.0.1:0";
    for (uint32_t index = 0; index < loops; ++index) {
      EventLoop& loop = context().loop(index);
      loop.use_driver(make_driver(kernel_, context().buffers, loop.counters));
      doors_.push_back(std::make_unique<LoopDoor>(context(), loop, *this));
    }
  }
  ~DoorsFixture() override {
    for (const int fd : taken_) kernel_.close(fd);
  }

  ServerContext& context() { return *context_.get(); }
  // At the first `count` loops.
  void open(size_t count) {
    std::vector<LoopDoor*> doors;
    for (size_t i = 0; i < count; ++i) doors.push_back(doors_[i].get());
    const Result<Bound> bound = bind_listening(kernel_, listening_, doors);
    ASSERT_TRUE(bound.ok()) << bound.error().message;
  }
  void come(int count) {
    for (int i = 0; i < count; ++i) clients_.emplace_back(listening_.url);
  }
  // How many were taken in one turn of a loop.
  size_t turn(uint32_t index = 0) {
    const size_t before = taken_.size();
    EventLoop& loop = context().loop(index);
    loop.assume_held();
    loop.wait(EventLoop::Wait::kNo, doors_[index]->resume_in_loop());
    for (Mail* next = loop.take_mail(); next != nullptr;) {
      const std::unique_ptr<Mail> mail(next);
      next = mail->next;
      if (mail->kind != kMailResume) continue;
      ++turns_given_;
      doors_[index]->room_in_loop();
    }
    Completion completion;
    while (loop.driver().next(completion)) doors_[index]->handle_in_loop(completion);
    return taken_.size() - before;
  }

  void adopt_in_loop(int fd, uint32_t, const SocketAddress& peer) override {
    EXPECT_GT(peer.size, 0u);
    taken_.push_back(fd);
  }

  FaultyKernel kernel_;
  const Platform platform_;
  ContextRef context_;
  Listening listening_;
  std::vector<std::unique_ptr<LoopDoor>> doors_;
  std::vector<support::Client> clients_;
  std::vector<int> taken_;
  int turns_given_ = 0;  // of all loops
};

// 100 clients have come, and the loop has turned once, before number `turn_at` came: the drain
// takes them first.
inline void drain_takes_who_waits_first(MakeDriver make_driver, size_t turn_at) {
  std::vector<std::unique_ptr<Listening>> listenings;
  listenings.push_back(std::make_unique<Listening>());
  Listening& listening = *listenings.back();
  listening.codec = lines();
  const auto echo = [](const Request& request) -> Answer { return request.own(); };
  listening.service = std::make_shared<detail::HandlerService<decltype(echo)>>(echo);
  listening.url = "tcp://127.0.0.1:0";
  listening.prepare(Dispatch::kInline);
  const ContextRef context(
      new ServerContext(real_platform(), {.dispatch = Dispatch::kInline}, 1, 100));
  EventLoop& loop = context.get()->loop(0);
  loop.use_driver(make_driver(real_platform().kernel, context.get()->buffers, loop.counters));
  IoWorker worker(*context.get(), 0, listenings);
  auto door = std::make_unique<LoopDoor>(*context.get(), loop, worker);
  LoopDoor* const doors[] = {door.get()};
  worker.use_door(std::move(door));
  ASSERT_TRUE(bind_listening(real_platform().kernel, listening, doors).ok());

  std::vector<support::Client> clients;
  for (size_t i = 0; i < 100; ++i) {
    if (i == turn_at) worker.turn_until_idle();
    ASSERT_TRUE(clients.emplace_back(listening.url).send("request\n"));
    ASSERT_TRUE(clients.back().wait_all_arrived());
  }
  loop.post(std::make_unique<PlainMail>(kMailDrain));
  worker.turn_until_idle();
  EXPECT_FALSE(support::Client(listening.url).connected());
  for (support::Client& client : clients) {
    worker.turn_until_idle();
    ASSERT_EQ(client.receive_all(), "request\n");
    EXPECT_EQ(client.end(), support::Client::End::kEof);
    client.close();
  }
  EXPECT_TRUE(support::wait_until([&] {
    worker.turn_until_idle();
    return collect_stats(*context.get(), 0).live == 0;
  }));
}

}}}  // namespace trireme::unit
