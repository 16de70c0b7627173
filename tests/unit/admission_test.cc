// Goal: clients are taken from a listening socket without a call for nothing where they come one by
// one, in bounded shares where many come at once, never more than there are places for, and at the
// end all who wait. Method: the door of one loop, turned by hand; a kernel that counts.
#include "accept/admission.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "accept/bind.h"
#include "connection/io_worker.h"
#include "runtime/faulty_kernel.h"
#include "runtime/readiness_driver.h"
#include "server_stats.h"
#include "support/client.h"
#include "trireme/trireme.h"

namespace trireme::inline v0 {
namespace {

using support::Client;
using Site = FaultyKernel::Site;

TEST(AcceptBatch, OneByOneThenManyAtOnce) {
  AcceptBatch batch;
  for (uint64_t turn = 2; turn < 20; turn += 2) EXPECT_EQ(batch.begin(turn), 1u);
  uint32_t sizes[5];
  for (uint64_t turn = 0; turn < 5; ++turn) sizes[turn] = batch.begin(101 + turn);
  EXPECT_EQ(std::vector<uint32_t>(sizes, sizes + 5), (std::vector<uint32_t>{1, 4, 16, 64, 64}));
}

// One client a turn: it is asked in vain in few of them.
TEST(AcceptBatch, DoesNotGuessAgainAtOnce) {
  AcceptBatch batch;
  int in_vain = 0;
  for (uint64_t turn = 1; turn <= 90; ++turn) {
    if (batch.begin(turn) == 1) continue;
    batch.ran_dry(1);
    ++in_vain;
  }
  EXPECT_EQ(in_vain, 10);
}

class Doors : public ::testing::Test, public Adopter {
 protected:
  explicit Doors(size_t connections_max = 200)
      : kernel_(real_platform().kernel),
        platform_{kernel_, real_platform().clock, real_platform().threads},
        core_(new Core(platform_, {}, 2, connections_max)) {
    listening_.options.accepting = Accepting::kLoops;
    listening_.url = "tcp://127.0.0.1:0";
    for (uint32_t index : {0u, 1u}) {
      EventLoop& loop = core().loop(index);
      auto driver = std::make_unique<ReadinessDriver>(kernel_, core().buffers, loop.counters,
                                                      DriverKind::kEpoll);
      EXPECT_EQ(driver->open(), 0);
      loop.use_driver(std::move(driver));
      doors_.push_back(std::make_unique<Admission>(core(), loop, *this));
    }
  }
  ~Doors() override {
    for (const int fd : taken_) kernel_.close(fd);
  }

  Core& core() { return *core_.get(); }
  // At the first `count` loops.
  void open(size_t count) {
    std::vector<Admission*> doors;
    for (size_t i = 0; i < count; ++i) doors.push_back(doors_[i].get());
    const Result<Done> bound = bind_listening(kernel_, listening_, doors);
    ASSERT_TRUE(bound.ok()) << bound.error().message;
  }
  void come(int count) {
    for (int i = 0; i < count; ++i) clients_.emplace_back(listening_.url);
  }
  // How many were taken in one turn of a loop.
  size_t turn(uint32_t index = 0) {
    const size_t before = taken_.size();
    EventLoop& loop = core().loop(index);
    loop.assume_held();
    loop.wait(EventLoop::Wait::kNo, doors_[index]->resume_in_loop());
    for (Mail* next = loop.take_mail(); next != nullptr;) {
      const std::unique_ptr<Mail> mail(next);
      next = mail->next;
      if (mail->kind == kMailResume) doors_[index]->room_in_loop();
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
  CoreRef core_;
  Listening listening_;
  std::vector<std::unique_ptr<Admission>> doors_;
  std::vector<Client> clients_;
  std::vector<int> taken_;
};

TEST_F(Doors, OneCallForAClientThatComesAlone) {
  open(1);
  for (int i = 0; i < 20; ++i) {
    come(1);
    EXPECT_EQ(turn(), 1u);
    EXPECT_EQ(turn(), 0u);
  }
  EXPECT_EQ(kernel_.calls(Site::kAccept), 20u);
}

TEST_F(Doors, ABurstIsSpreadOverTurns) {
  open(1);
  come(150);
  size_t turns = 0;
  for (; taken_.size() < 150 && turns < 20; ++turns) EXPECT_LE(turn(), 64u);
  EXPECT_LE(turns, 6u);
  EXPECT_LE(kernel_.calls(Site::kAccept), 151u);
}

class FewPlaces : public Doors {
 protected:
  FewPlaces() : Doors(3) {}
};

// Two loops, and clients at both: not one more than there are places for is taken out of a backlog.
TEST_F(FewPlaces, LoopsThatAcceptSideBySideShareThem) {
  open(2);
  come(20);
  for (int i = 0; i < 6; ++i) {
    turn(0);
    turn(1);
  }
  EXPECT_EQ(taken_.size(), 3u);
  EXPECT_EQ(kernel_.calls(Site::kAccept), 3u);
  EXPECT_GE(
      core().loop(0).counters.accept_pauses.get() + core().loop(1).counters.accept_pauses.get(),
      1u);
  for (size_t served = 1; served <= 17; ++served) {  // whoever leaves makes room for one
    core().leave_connection();
    ASSERT_TRUE(support::wait_until([&] { return turn(0) + turn(1) == 1; }));
    EXPECT_EQ(taken_.size(), 3 + served);
  }
}

// The clients have come, and the loop has not turned since: the drain takes them first.
TEST(AdmissionAtDrain, TakesWhoWaitsFirst) {
  std::vector<std::unique_ptr<Listening>> listenings;
  listenings.push_back(std::make_unique<Listening>());
  Listening& listening = *listenings.back();
  listening.codec = lines();
  const auto echo = [](const Request& request) -> Answer { return request.own(); };
  listening.service = std::make_shared<HandlerService<decltype(echo)>>(echo);
  listening.url = "tcp://127.0.0.1:0";
  listening.prepare(Dispatch::kInline);
  const CoreRef core(new Core(real_platform(), {.dispatch = Dispatch::kInline}, 1, 100));
  EventLoop& loop = core.get()->loop(0);
  auto driver = std::make_unique<ReadinessDriver>(real_platform().kernel, core.get()->buffers,
                                                  loop.counters, DriverKind::kEpoll);
  ASSERT_EQ(driver->open(), 0);
  loop.use_driver(std::move(driver));
  IoWorker worker(*core.get(), 0, listenings);
  auto door = std::make_unique<Admission>(*core.get(), loop, worker);
  Admission* const doors[] = {door.get()};
  worker.use_acceptor(std::move(door));
  ASSERT_TRUE(bind_listening(real_platform().kernel, listening, doors).ok());

  std::vector<Client> clients;
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(clients.emplace_back(listening.url).send("request\n"));
    ASSERT_TRUE(clients.back().wait_all_arrived());
  }
  loop.post(std::make_unique<PlainMail>(kMailDrain));
  worker.turn_until_idle();
  EXPECT_FALSE(Client(listening.url).connected());
  for (Client& client : clients) {
    worker.turn_until_idle();
    EXPECT_EQ(client.receive_all(), "request\n");
    EXPECT_EQ(client.end(), Client::End::kEof);
    client.close();
  }
  EXPECT_TRUE(support::wait_until([&] {
    worker.turn_until_idle();
    return collect_stats(*core.get(), 0).live == 0;
  }));
}

}  // namespace
}  // namespace trireme
