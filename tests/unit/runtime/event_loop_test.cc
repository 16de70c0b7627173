// Goal: a loop that sleeps is woken by every post, a loop that is awake by none; timers and the
// watcher bound sleep. Method: a driver whose wait runs a hook, so that the test acts exactly while
// the loop sleeps; then real threads that post one mail at a time to a loop on epoll, where one
// lost wake-up shows as a wait up to its deadline.
#include "runtime/event_loop.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <thread>
#include <vector>

#include "runtime/drivers/readiness_driver.h"
#include "support/wait.h"

namespace trireme { inline namespace v0 { namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class HookDriver final : public Driver {
 public:
  std::function<void()> while_asleep;
  int wakes = 0;
  TimePoint now{}, until{};
  int looks = 0;  // waits that could not sleep
  bool has_some = false;

  Traits traits() const override { return {.name = "hook"}; }
  void wait(TimePoint from, TimePoint to) override {
    now = from;
    until = to;
    if (to <= from) ++looks;
    if (while_asleep) while_asleep();
  }
  bool ready() const override { return has_some; }
  bool next(Completion&) override { return false; }
  bool drained() const override { return true; }
  int attach(Channel&, Channel::Role, int) override { return 0; }
  void receive(Channel&) override {}
  void pause(Channel&) override {}
  Sent send(Channel&, std::span<const iovec>) override { return {}; }
  Sent send_file(Channel&, const FilePart&) override { return {}; }
  void shutdown_write(Channel&) override {}
  void close(Channel&) override {}
  size_t bytes_readable(const Channel&) override { return 0; }
  size_t bytes_unsent(const Channel&) override { return 0; }
  Waiting waiting(const Channel&) override { return {}; }
  Block swap_read_buffer(Block fresh) override { return fresh; }
  void set_receive_bytes_max(size_t) override {}
  bool wake() noexcept override {
    ++wakes;
    return true;
  }
};

struct Note final : Mail {
  Note() : Mail(1) {}
};

size_t open_all(Mail* mail) {
  size_t count = 0;
  while (mail != nullptr) {
    const std::unique_ptr<Mail> gone(mail);
    mail = mail->next;
    ++count;
  }
  return count;
}

class EventLoopTest : public ::testing::Test {
 protected:
  EventLoopTest() {
    auto driver = std::make_unique<HookDriver>();
    driver_ = driver.get();
    loop_.use_driver(std::move(driver));
  }
  void post() { loop_.post(std::make_unique<Note>()); }
  // One wait that may poll. True: it did.
  bool polls(TimePoint until = kNever) {
    loop_.assume_held();
    driver_->looks = 0;
    loop_.wait(EventLoop::Wait::kPollFirst, until);
    return driver_->looks > 0;
  }
  // The driver has something at each look; with a machine that stops the test now and then.
  ::testing::AssertionResult polls_in_the_end() {
    loop_.set_poll_time_max(milliseconds(10));
    driver_->has_some = true;
    if (support::wait_until([this] { return polls(); })) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << "it never polls";
  }

  const Platform& platform_ = real_platform();
  EventLoop loop_{platform_, 7};
  HookDriver* driver_ = nullptr;
};

TEST_F(EventLoopTest, AnAwakeLoopIsNotSignalled) {
  loop_.assume_held();
  for (int i = 0; i < 100; ++i) post();
  EXPECT_EQ(driver_->wakes, 0);
  EXPECT_EQ(loop_.counters.wakeups.get(), 0u);
  EXPECT_EQ(open_all(loop_.take_mail()), 100u);
  EXPECT_EQ(loop_.index(), 7u);
}

TEST_F(EventLoopTest, OfManySendersOneSignalsTheSleeper) {
  loop_.assume_held();
  driver_->while_asleep = [&] {
    for (int i = 0; i < 100; ++i) post();
  };
  loop_.wait(EventLoop::Wait::kSleep, kNever);
  EXPECT_EQ(driver_->wakes, 1);
  EXPECT_EQ(loop_.counters.wakeups.get(), 1u);
  EXPECT_EQ(open_all(loop_.take_mail()), 100u);
  driver_->while_asleep = nullptr;
  post();  // awake again
  EXPECT_EQ(driver_->wakes, 1);
  EXPECT_EQ(loop_.counters.loop_turns.get(), 1u);
}

TEST_F(EventLoopTest, MailThatIsThereKeepsItFromSleeping) {
  loop_.assume_held();
  post();
  loop_.wait(EventLoop::Wait::kSleep, kNever);
  EXPECT_LE(driver_->until, driver_->now);
}

TEST_F(EventLoopTest, PollingNeverSleepsAndIsNotSignalled) {
  loop_.assume_held();
  driver_->while_asleep = [&] { post(); };
  loop_.wait(EventLoop::Wait::kNo, kNever);
  EXPECT_LE(driver_->until, driver_->now);
  EXPECT_EQ(driver_->wakes, 0);
}

// The driver does not sleep here, so each wait is short - unless this machine stops the test, which
// shrinks the time to poll: then once more.
TEST_F(EventLoopTest, PollsOnlyWhileThatPays) {
  loop_.assume_held();
  driver_->has_some = true;
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(polls()) << "it was not told to poll";
  EXPECT_TRUE(polls_in_the_end()) << "polling would have found what ended short sleeps";
  driver_->looks = 0;
  loop_.wait(EventLoop::Wait::kSleep, kNever);
  EXPECT_EQ(driver_->looks, 0) << "the caller said to sleep";
  // Sleeps that polling would not have shortened.
  driver_->while_asleep = [&] {
    driver_->has_some = driver_->until > driver_->now;
    if (driver_->has_some) support::let_pass(milliseconds(11));
  };
  for (int i = 0; i < 12; ++i) polls();
  EXPECT_FALSE(polls());
}

TEST_F(EventLoopTest, WhatPollingFindsEndsItWithoutSleepOrSignal) {
  loop_.assume_held();
  loop_.set_poll_time_max(milliseconds(10));
  const auto found_by_polling = [&] { return polls() && driver_->until <= driver_->now; };
  driver_->has_some = true;
  EXPECT_TRUE(support::wait_until(found_by_polling));
  driver_->has_some = false;
  driver_->while_asleep = [&] { post(); };
  EXPECT_TRUE(support::wait_until([&] {
    loop_.assume_held();
    const int wakes = driver_->wakes;
    const bool found = found_by_polling();
    const bool mail = open_all(loop_.take_mail()) > 0;
    return found && mail && driver_->wakes == wakes;
  }));
}

// What a turn takes before it waits is no time of waiting.
TEST_F(EventLoopTest, LongTurnsDoNotEndPolling) {
  ASSERT_TRUE(polls_in_the_end());
  bool polled = false;
  for (int i = 0; i < 12; ++i) {
    support::let_pass(milliseconds(11));
    polled = polls();
  }
  EXPECT_TRUE(polled);
}

// A timer comes by itself, and so often that it would look like work that polling finds.
TEST_F(EventLoopTest, TimersDoNotKeepPollingUp) {
  loop_.assume_held();
  ASSERT_TRUE(polls_in_the_end());
  driver_->has_some = false;
  for (int i = 0; i < 20; ++i) {
    loop_.read_clock();
    polls(loop_.now() + milliseconds(1));
  }
  EXPECT_FALSE(polls());
}

TEST_F(EventLoopTest, WhoPollsIdlesAndWhoFoundSomethingDoesNot) {
  bool idled = false;
  driver_->while_asleep = [&] { idled = driver_->until <= driver_->now && loop_.idles(); };
  ASSERT_TRUE(polls_in_the_end());
  EXPECT_TRUE(idled);
  EXPECT_FALSE(loop_.idles());
  EXPECT_FALSE(loop_.asleep());
}

// Bytes that a look has received lie in the driver's buffer, so they go first; mail that was there
// before is not put off by that for ever.
TEST_F(EventLoopTest, WhatALookHasFoundComesBeforeMailThatCameMeanwhile) {
  loop_.assume_held();
  loop_.set_poll_time_max(milliseconds(10));
  driver_->has_some = true;
  driver_->while_asleep = [&] {
    if (driver_->until <= driver_->now) post();  // not to a sleeper: that has no look behind it
  };
  const auto look_with_mail = [&] { return polls() && driver_->looks == 1; };
  ASSERT_TRUE(support::wait_until(look_with_mail));
  EXPECT_EQ(open_all(loop_.take_mail()), 0u);
  ASSERT_TRUE(look_with_mail());  // the driver has something again
  EXPECT_EQ(open_all(loop_.take_mail()), 2u);
}

TEST_F(EventLoopTest, TheNextTimerAndTheCallerBoundTheSleep) {
  loop_.assume_held();
  loop_.wait(EventLoop::Wait::kSleep, kNever);
  EXPECT_EQ(driver_->until, kNever);
  Timer timer;
  const TimePoint deadline = loop_.now() + milliseconds(40);
  loop_.timers().arm(timer, deadline);
  loop_.wait(EventLoop::Wait::kSleep, kNever);
  EXPECT_LE(driver_->until, deadline + TimerWheel::kTick);
  EXPECT_GT(driver_->until, driver_->now);
  const TimePoint earlier = loop_.now() + milliseconds(3);
  loop_.wait(EventLoop::Wait::kSleep, earlier);
  EXPECT_EQ(driver_->until, earlier);
  loop_.timers().cancel(timer);
  EXPECT_EQ(loop_.timers_made(), 1u);
  EXPECT_EQ(loop_.timers_gone(), 1u);
}

TEST_F(EventLoopTest, TheWatcherParksOnlyBesideASleeperWhichWakesIt) {
  loop_.assume_held();
  ParkSpot spot;
  loop_.set_watcher(&spot);
  EXPECT_FALSE(loop_.try_park_watcher());  // awake
  bool parked = false;
  driver_->while_asleep = [&] { parked = loop_.try_park_watcher(); };
  loop_.wait(EventLoop::Wait::kSleep, kNever);
  EXPECT_TRUE(parked);
  EXPECT_TRUE(platform_.threads.park(spot, platform_.clock.now()));  // a permit is there
  EXPECT_FALSE(loop_.try_park_watcher());
  driver_->while_asleep = nullptr;
  loop_.wait(EventLoop::Wait::kSleep, kNever);  // nobody parked: nobody is woken
  EXPECT_FALSE(platform_.threads.park(spot, platform_.clock.now()));
  loop_.set_watcher(nullptr);
}

TEST_F(EventLoopTest, AWatcherDoesNotParkOnceTheSleeperWasSignalled) {
  loop_.assume_held();
  bool parked = true;
  driver_->while_asleep = [&] {
    post();
    parked = loop_.try_park_watcher();
  };
  loop_.wait(EventLoop::Wait::kSleep, kNever);
  EXPECT_FALSE(parked);
}

TEST_F(EventLoopTest, ASignalAfterTheWatcherParkedStillWakesBoth) {
  loop_.assume_held();
  ParkSpot spot;
  loop_.set_watcher(&spot);
  driver_->while_asleep = [&] {
    EXPECT_TRUE(loop_.try_park_watcher());
    post();
  };
  loop_.wait(EventLoop::Wait::kSleep, kNever);
  EXPECT_EQ(driver_->wakes, 1);
  EXPECT_TRUE(platform_.threads.park(spot, platform_.clock.now()));
}

TEST(EventLoopStress, NoPostIsLostOnTheWayToASleeper) {
  constexpr int kSenders = 3, kEach = 8'000;
  constexpr auto kLost = seconds(10);  // what a lost wake-up costs
  Buffers buffers(1 << 20);
  EventLoop loop(real_platform(), 0);
  auto driver = std::make_unique<ReadinessDriver>(real_platform().kernel, buffers, loop.counters,
                                                  DriverKind::kEpoll);
  ASSERT_EQ(driver->open(), 0);
  loop.use_driver(std::move(driver));
  std::atomic<uint64_t> opened{0};
  std::vector<std::thread> senders;
  for (int sender = 0; sender < kSenders; ++sender) {
    senders.emplace_back([&loop, &opened, sender] {
      for (int i = 0; i < kEach; ++i) {
        const uint64_t before = opened.load();
        loop.post(std::make_unique<Note>());
        // The first sender goes on when the loop has seen it, so that the next post meets a loop
        // falling asleep.
        while (sender == 0 && opened.load() == before) std::this_thread::yield();
      }
    });
  }
  loop.assume_held();
  Duration longest{};
  while (opened.load() < uint64_t{kSenders} * kEach) {
    loop.read_clock();
    const TimePoint before = loop.now();
    loop.wait(EventLoop::Wait::kSleep, before + kLost);
    longest = std::max(longest, loop.now() - before);
    opened += open_all(loop.take_mail());
    if (longest >= kLost) break;
    Completion completion;
    while (loop.driver().next(completion)) ADD_FAILURE() << "a completion from nowhere";
  }
  opened = UINT64_MAX / 2;  // on failure: lets the sender go
  for (std::thread& sender : senders) sender.join();
  EXPECT_LT(longest, kLost) << "a wake-up was lost";
  EXPECT_GT(loop.counters.wakeups.get(), 0u);
  open_all(loop.take_mail());
  loop.use_driver(nullptr);
}

}  // namespace
}}  // namespace trireme
