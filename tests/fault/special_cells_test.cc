// Goal: the faults whose answer is more than "lives on": what exactly is kept, counted, retried.
// Method: one fault, one load, exact bytes and counters.
#include <chrono>
#include <cstring>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "fault/faulty_server.h"
#include "runtime/drivers/readiness_driver.h"

namespace fault { namespace {

using support::wait_until;

constexpr size_t kEchoBytes = 8 << 10;

class SpecialCell : public ::testing::TestWithParam<size_t> {
 protected:
  SpecialCell() : server_(setups()[GetParam()]) {}
  void SetUp() override { ASSERT_TRUE(server_.start().ok()); }

  tr::FaultyKernel& kernel() { return server_.kernel(); }
  // A line whose bytes show where they belong.
  static std::string long_line(size_t bytes) {
    std::string line(bytes, 'a');
    for (size_t i = 0; i < bytes; ++i) line[i] = static_cast<char>('a' + i * 7 % 26);
    return line;
  }

  // False: one loop does all by itself.
  bool wakes() const {
    return server_.setup().accepting == tr::Accepting::kListener ||
           server_.setup().dispatch == tr::Dispatch::kWorkers;
  }
  Site waits_with() const {
    if (server_.setup().driver == tr::DriverKind::kPoll) return Site::kPoll;
    return server_.setup().driver == tr::DriverKind::kSelect ? Site::kSelect : Site::kEpollWait;
  }

  FaultyServer server_;
};

TEST_P(SpecialCell, AbortedClientDoesNotStrandTheOneBehindIt) {
  kernel().plan({.site = Site::kAccept, .error = ECONNABORTED});
  EXPECT_TRUE(serves(server_.url()));
  EXPECT_EQ(kernel().injected(Site::kAccept), 1u);
  EXPECT_EQ(server_.stats().accept_pauses, 0u);
}

TEST_P(SpecialCell, AcceptThatFailsForEverIsTriedSeldom) {
  for (const int error : {EMFILE, ECONNABORTED}) {
    Client other(server_.url());
    ASSERT_TRUE(serves(other));
    const uint64_t before = kernel().calls(Site::kAccept);
    kernel().plan({.site = Site::kAccept, .error = error, .times = kForEver});
    Client waiting(server_.url());
    ASSERT_TRUE(waiting.send("waited\n"));
    EXPECT_FALSE(waiting.readable_within(std::chrono::milliseconds(500)));
    EXPECT_LE(kernel().calls(Site::kAccept) - before, 30u) << "60 a second";
    EXPECT_TRUE(serves(other));
    EXPECT_LE(server_.log().size(), 2u);
    kernel().heal();
    const auto healed = support::Clock::now();
    other.close();  // a descriptor is free: the Listener does not wait for its back-off
    EXPECT_TRUE(answered(waiting, "waited"));
    EXPECT_LT(support::Clock::now() - healed, std::chrono::milliseconds(200));
  }
}

// What only a driver with a set in the kernel can meet.
class EpollCell : public SpecialCell {};

TEST_P(EpollCell, EpollAddThatFailsCostsThatClientOnly) {
  Client other(server_.url());
  ASSERT_TRUE(serves(other));
  kernel().plan({.site = Site::kEpollAdd, .error = ENOSPC});
  Client refused(server_.url());
  EXPECT_EQ(refused.receive_all(), "");
  EXPECT_TRUE(wait_until([&] { return server_.closed(tr::CloseReason::kSystemError) == 1; }));
  EXPECT_TRUE(serves(other));
  EXPECT_TRUE(serves(server_.url()));
}

TEST_P(SpecialCell, NoWakeUpIsLost) {
  if (!wakes()) GTEST_SKIP() << "nobody wakes anybody";
  for (const int error : {EINTR, EAGAIN}) {
    Client client(server_.url());
    for (int i = 0; i < 50; ++i) {
      kernel().plan({.site = Site::kEventSignal, .error = error, .times = 3});
      ASSERT_TRUE(serves(client, std::to_string(i)));
      ASSERT_TRUE(serves(server_.url()));
      kernel().heal();
    }
  }
  EXPECT_GT(kernel().injected(Site::kEventSignal), 0u);
}

TEST_P(SpecialCell, NoBuffersForAMomentLosesNoByte) {
  const std::string line = long_line(kEchoBytes);
  for (const int error : {ENOBUFS, ENOMEM}) {
    for (const uint64_t times : {1u, 3u}) {
      Client client(server_.url());
      ASSERT_TRUE(serves(client));
      const uint64_t injected = kernel().injected(Site::kSend);
      kernel().plan({.site = Site::kSend, .error = error, .times = times});
      ASSERT_TRUE(client.send(line + "\nsecond\n"));
      EXPECT_TRUE(answered(client, line));
      EXPECT_TRUE(answered(client, "second"));
      EXPECT_EQ(kernel().injected(Site::kSend) - injected, times);
      kernel().heal();
    }
  }
  EXPECT_EQ(server_.closed(tr::CloseReason::kReset), 0u);
}

TEST_P(SpecialCell, OneByteAtATime) {
  const std::string line = long_line(kEchoBytes);
  for (const Site site : {Site::kSend, Site::kReceive}) {
    Client client(server_.url());
    ASSERT_TRUE(serves(client));
    const uint64_t injected = kernel().injected(site);
    kernel().plan({.site = site, .bytes_max = 1, .times = kForEver});
    EXPECT_TRUE(serves(client, line)) << tr::FaultyKernel::name_of(site);
    EXPECT_GE(kernel().injected(site) - injected, kEchoBytes);
    kernel().heal();
    EXPECT_TRUE(serves(client, line));
  }
}

TEST_P(SpecialCell, InterruptionsEverywhereAreInvisible) {
  std::vector<Site> interrupted = {Site::kAccept, Site::kReceive, Site::kSend, waits_with()};
  // The Listener wakes the loop for each client; data workers wake it only where it sleeps. Of
  // epoll a signal need not be cleared.
  if (server_.setup().accepting == tr::Accepting::kListener) {
    interrupted.push_back(Site::kEventSignal);
    if (waits_with() != Site::kEpollWait) interrupted.push_back(Site::kEventClear);
  }
  const std::string line = long_line(kEchoBytes);
  for (int round = 0; round < 10; ++round) {
    for (const Site site : interrupted) {
      kernel().plan({.site = site, .error = EINTR, .times = 3});
    }
    Client client(server_.url());
    ASSERT_TRUE(serves(client, line));
    kernel().heal();
  }
  for (const Site site : interrupted) {
    EXPECT_GE(kernel().injected(site), 3u) << tr::FaultyKernel::name_of(site);
  }
  EXPECT_EQ(server_.stats().accept_failures, 0u);
}

// Level-triggered, the driver asks for room to write with a MOD. It fails; the replies arrive.
TEST_P(EpollCell, WritingGoesOnWhenEpollModifyFails) {
  Client client(server_.url(), {.receive_buffer_bytes = 4096});
  std::string lines;
  for (int i = 0; i < 12; ++i) lines += long_line(900 << 10) + "\n";
  ASSERT_TRUE(serves(client));
  kernel().plan({.site = Site::kEpollModify, .error = ENOMEM, .times = 3});
  size_t taken = client.send_until_full(lines);  // until both directions are full
  if (server_.setup().driver == tr::DriverKind::kEpoll) {
    // A server that gets no processor for a while only seems to be full.
    EXPECT_TRUE(wait_until([&] {
      taken += client.send_until_full(std::string_view(lines).substr(taken));
      return kernel().injected(Site::kEpollModify) > 0;
    }));
  }
  EXPECT_TRUE(client.converse(std::string_view(lines).substr(taken), true) == lines);
}

// A connection that epoll_ctl has thrown out is closed: the driver forgets it.
TEST_P(EpollCell, ClosedAfterEpollModifyFailedIsForgotten) {
  Client other(server_.url());
  ASSERT_TRUE(serves(other));
  kernel().plan({.site = Site::kEpollModify, .error = ENOMEM, .times = 3});
  kernel().plan({.site = Site::kEpollAdd, .error = ENOMEM, .first = 2, .times = kForEver});
  Client half(server_.url());  // its end of stream is read while its handler runs
  ASSERT_TRUE(half.send("gate\n"));
  half.shutdown_write();
  if (server_.setup().driver == tr::DriverKind::kEpoll) {
    ASSERT_TRUE(wait_until([&] { return kernel().injected(Site::kEpollModify) > 0; }));
  }
  server_.gate().open();
  EXPECT_EQ(half.receive_all(), "gate\n");
  ASSERT_TRUE(wait_until([&] { return server_.stats().live == 1; }));
  const uint64_t before = kernel().calls(Site::kEpollAdd);
  EXPECT_FALSE(other.readable_within(std::chrono::milliseconds(50)));
  EXPECT_EQ(kernel().calls(Site::kEpollAdd) - before, 0u) << "it is tried again and again";
  kernel().heal();
}

// A drain asks how many bytes have arrived; a kernel that cannot say does not stop it.
TEST_P(SpecialCell, DrainWithoutKnowingWhatHasArrived) {
  for (const Cell& cell : cells_of(Site::kBytesReadable, std::array<uint64_t, 3>{1, 2, 3})) {
    SCOPED_TRACE(describe(cell));
    ASSERT_EQ(expectation_in_traffic(cell.site, cell.error).expect, Expect::kInvisible);
    FaultyServer server(setups()[GetParam()]);
    ASSERT_TRUE(server.start().ok());
    Client first(server.url()), second(server.url()), third(server.url());
    for (Client* client : {&first, &second, &third}) ASSERT_TRUE(serves(*client));
    server.kernel().plan(
        {.site = cell.site, .error = cell.error, .first = cell.first, .times = cell.times});
    std::thread closer([&] {
      for (Client* client : {&first, &second, &third}) {
        EXPECT_EQ(client->receive_all(), "");
        client->close();
      }
    });
    server.drain();
    closer.join();
    EXPECT_GT(server.kernel().injected(cell.site), 0u);
    EXPECT_EQ(server.kernel().calls(Site::kConnect), 0u);  // kNotOnPath
  }
}

const auto name_of_setup = [](const ::testing::TestParamInfo<size_t>& given) {
  return support::name_of({setups()[given.param], 0});
};
INSTANTIATE_TEST_SUITE_P(Setups, SpecialCell, ::testing::Range(size_t{0}, setups().size()),
                         name_of_setup);
INSTANTIATE_TEST_SUITE_P(Setups, EpollCell, ::testing::Range(size_t{0}, size_t{6}), name_of_setup);

// A failure to wait that only a defect of ours can cause is not survived in silence.
TEST(Misuse, WaitingOnSomethingElseAborts) {
  constexpr std::pair<Site, tr::DriverKind> kWaits[] = {{Site::kEpollWait, tr::DriverKind::kEpoll},
                                                        {Site::kPoll, tr::DriverKind::kPoll},
                                                        {Site::kSelect, tr::DriverKind::kSelect}};
  for (const auto& [site, kind] : kWaits) {
    for (const Cell& cell : cells_of(site, std::array<uint64_t, 1>{1})) {
      if (expectation_in_traffic(cell.site, cell.error).expect != Expect::kAborts) continue;
      if (cell.times != 1) continue;
      tr::FaultyKernel kernel(tr::real_platform().kernel);
      tr::Buffers buffers(1 << 20);
      tr::LoopCounters counters;
      tr::ReadinessDriver driver(kernel, buffers, counters, kind);
      ASSERT_EQ(driver.open(), 0);
      kernel.plan({.site = cell.site, .error = cell.error});
      const tr::TimePoint now = tr::real_platform().clock.now();
      EXPECT_DEATH(driver.wait(now, now), "waiting failed") << describe(cell);
    }
  }
}

// The set did not fit into the kernel's memory: nothing is told, mail still comes, and the loop
// sleeps meanwhile.
TEST(SetOutOfMemory, TheLoopSleepsAndHearsItsWakeUps) {
  for (const auto& [site, kind] : {std::pair(Site::kPoll, tr::DriverKind::kPoll),
                                   std::pair(Site::kSelect, tr::DriverKind::kSelect)}) {
    tr::FaultyKernel kernel(tr::real_platform().kernel);
    tr::Buffers buffers(1 << 20);
    tr::LoopCounters counters;
    tr::ReadinessDriver driver(kernel, buffers, counters, kind);
    ASSERT_EQ(driver.open(), 0);
    kernel.plan({.site = site, .error = ENOMEM});
    const tr::TimePoint now = tr::real_platform().clock.now();
    driver.wait(now, now + std::chrono::seconds(5));
    const tr::Duration slept = tr::real_platform().clock.now() - now;
    EXPECT_GE(slept, std::chrono::milliseconds(9));
    EXPECT_LT(slept, std::chrono::seconds(4));
    kernel.plan({.site = site, .error = ENOMEM});
    driver.wake();
    driver.wait(now, now + std::chrono::seconds(5));
    tr::Completion none;
    EXPECT_FALSE(driver.next(none));
  }
}

}  // namespace
}  // namespace fault
