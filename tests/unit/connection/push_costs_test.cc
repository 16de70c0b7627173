// Goal: what pushes hold is charged, and charged once; they leave in order, whatever their sizes;
// behind the last reply nothing leaves. Method: one I/O worker, turned by hand, and a full socket.
#include <string>

#include "runtime/drivers/readiness_driver.h"
#include "support/unit_pushes.h"

namespace trireme { inline namespace v0 { namespace {

std::unique_ptr<Driver> epoll_of_costs(Kernel& kernel, Buffers& buffers, LoopCounters& counters) {
  auto driver = std::make_unique<ReadinessDriver>(kernel, buffers, counters, DriverKind::kEpoll);
  EXPECT_EQ(driver->open(), 0);
  return driver;
}

TEST(PushCosts, SmallOnesAreChargedWhatCarriesThem) {
  unit::FullSocket socket(epoll_of_costs);
  socket.push("begin ", Overflow::kReject, true);
  const int64_t before = socket.bytes_charged();
  constexpr int kCount = 3'000;
  for (int i = 0; i < kCount; ++i) socket.push("y", Overflow::kReject, false);
  EXPECT_GE(socket.bytes_charged() - before, int64_t{kCount} * int64_t{sizeof(PushMail)});
  socket.turn();  // in the write queue they are bytes of a block
  EXPECT_LE(socket.bytes_charged() - before, 8 << 10);
  socket.push("!", Overflow::kReject, true);
  EXPECT_EQ(socket.hear("!"), "begin " + std::string(kCount, 'y') + "!");
}

TEST(PushCosts, RoomThatAStringKeepsIsCharged) {
  unit::FullSocket socket(epoll_of_costs);
  const int64_t before = socket.bytes_charged();
  std::string roomy("x");
  roomy.reserve(1 << 20);
  socket.push(std::move(roomy), Overflow::kReject, false);
  EXPECT_GE(socket.bytes_charged() - before, 1 << 20);
}

TEST(PushCosts, LargeOnesAreChargedOnce) {
  unit::FullSocket socket(epoll_of_costs, 8 << 20);
  const int64_t before = socket.bytes_charged();
  const std::string most(5 << 20, 'x');
  socket.push(most, Overflow::kReject, true);
  EXPECT_TRUE(socket.peer().connected());
  EXPECT_LE(socket.bytes_charged() - before, 6 << 20);
}

TEST(PushCosts, FramedOnesAreChargedOnce) {
  unit::FullSocket socket(epoll_of_costs, 8 << 20);
  EXPECT_EQ(socket.peer().push(std::string(5 << 20, 'x')), SendResult::kQueued);
  socket.turn();
  EXPECT_TRUE(socket.peer().connected());
}

TEST(PushCosts, AllSizesLeaveInTheirOrder) {
  unit::FullSocket socket(epoll_of_costs);
  std::string all;
  for (int i = 0; i < 400; ++i) {
    const size_t size = i % 7 == 0 ? 100'000 : i % 3 == 0 ? 600 : static_cast<size_t>(i) % 513;
    const std::string bytes(size, static_cast<char>('a' + i % 26));
    socket.push(bytes, Overflow::kClose, i % 5 == 0);
    all += bytes;
  }
  all += "!";
  socket.push("!", Overflow::kReject, true);
  EXPECT_TRUE(socket.hear("!") == all);
}

// A publisher that never stops kept a connection that was to close.
TEST(PushCosts, NothingLeavesBehindAnEnding) {
  unit::FullSocket socket(epoll_of_costs);
  socket.push("before", Overflow::kReject, true);
  socket.peer().close();
  socket.turn();
  EXPECT_EQ(socket.peer().send("behind"), SendResult::kQueued);
  socket.turn();
  EXPECT_EQ(socket.hear("before"), "before");
  EXPECT_TRUE(socket.ends());
}

}  // namespace
}}  // namespace trireme
