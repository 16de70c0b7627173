// Goal: one shared message for many subscribers is one copy, however many of them do not read.
// Method: a thousand connections of one loop whose sockets are full, and the byte budget, which
// counts what the server holds.
#include "runtime/drivers/readiness_driver.h"
#include "support/unit_pushes.h"

namespace trireme { inline namespace v0 { namespace {

std::unique_ptr<Driver> make_epoll(Kernel& kernel, Buffers& buffers, LoopCounters& counters) {
  auto driver = std::make_unique<ReadinessDriver>(kernel, buffers, counters, DriverKind::kEpoll);
  EXPECT_EQ(driver->open(), 0);
  return driver;
}

constexpr size_t kMessageBytes = 64 << 10;
constexpr int64_t kMailBytes = sizeof(PushMail);  // on the way

TEST(SharedPush, AThousandSubscribersOfOneMessageAreOneCopy) {
  ASSERT_GE(real_platform().kernel.raise_descriptor_limit(), 2'100);
  unit::FullSocket sockets(make_epoll, kBudgetStandard, 1'000);
  const int64_t before = sockets.bytes_charged();
  const SharedBytes news(std::string(kMessageBytes, 'n'));
  for (const Peer& peer : sockets.peers()) ASSERT_EQ(peer.send(news), SendResult::kQueued);
  EXPECT_EQ(sockets.bytes_charged() - before, int64_t{kMessageBytes} + 1'000 * kMailBytes);
  sockets.turn();
  EXPECT_EQ(sockets.bytes_charged() - before, int64_t{kMessageBytes}) << "in the write queues";
  // In an envelope, of which each connection has its own: here the newline.
  for (const Peer& peer : sockets.peers()) ASSERT_EQ(peer.push(Answer(news)), SendResult::kQueued);
  sockets.turn();
  EXPECT_EQ(sockets.bytes_charged() - before, int64_t{kMessageBytes} + 1'000);
  for (const size_t client : {size_t{0}, size_t{999}}) {
    const std::string heard = sockets.hear("\n", client);
    EXPECT_EQ(heard.size(), 2 * kMessageBytes + 1);
    EXPECT_EQ(heard.find_first_not_of("n"), heard.size() - 1);
  }
}

TEST(SharedPush, OfTheLatestPolicyIsReplacedWithItsEnvelope) {
  unit::FullSocket socket(make_epoll);
  const int64_t before = socket.bytes_charged();
  for (const char name : {'a', 'b', 'c'}) {
    const SharedBytes value(std::string(20'000, name));
    ASSERT_EQ(socket.peers()[0].push(Answer(value), Overflow::kLatest), SendResult::kQueued);
    socket.turn();
    EXPECT_EQ(socket.bytes_charged() - before, 20'001);
  }
  EXPECT_EQ(socket.hear("\n"), std::string(20'000, 'c') + "\n");
  EXPECT_EQ(socket.bytes_charged(), before);
}

}  // namespace
}}  // namespace trireme
