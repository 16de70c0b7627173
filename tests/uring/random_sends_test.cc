// Goal: whatever is sent, settled and refused, each client hears exactly what was said to it, in
// order. Method: random sends of random sizes to several clients that read now and then, with
// random failures of single sends; the sender keeps what was not taken, as a write queue does.
#include <fcntl.h>

#include <array>

#include "support/unit_driver.h"
#include "support/unit_seed.h"
#include "trireme/uring.h"
#include "uring/uring_driver.h"

namespace trireme { inline namespace v0 { namespace {

using uring::Op;

// Refuses one send in eight while it is on.
class Sometimes final : public uring::Faults {
 public:
  int fail(Op op) override {
    if (!on || op != Op::kSend || !random.chance(1, 8)) return 0;
    return random.chance(1, 2) ? EAGAIN : ENOBUFS;
  }
  Random random = unit::seeded_random();
  bool on = true;
};

Sometimes* sometimes = nullptr;  // of the test that runs

std::unique_ptr<Driver> make(Kernel& kernel, Buffers& buffers, LoopCounters& counters) {
  auto driver = std::make_unique<uring::UringDriver>(kernel, buffers, counters,
                                                     uring::UringDriver::Sizes{}, sometimes);
  EXPECT_EQ(driver->open(), 0);
  return driver;
}

struct WithFaults {
  WithFaults() { sometimes = &faults; }
  ~WithFaults() { sometimes = nullptr; }
  Sometimes faults;
};

struct Line {
  Channel* channel = nullptr;
  int client = -1;
  std::string said, heard, waiting;  // waiting: not taken yet, or given back
};

class RandomSends : private WithFaults, public unit::DriverFixture {
 protected:
  Random& random() { return faults.random; }
  void heal() { faults.on = false; }

  void push(Line& line) {
    if (line.waiting.empty()) return;
    // Two pieces, as a queue of chunks has them.
    const size_t cut = random().below(line.waiting.size() + 1);
    const iovec pieces[] = {{line.waiting.data(), cut},
                            {line.waiting.data() + cut, line.waiting.size() - cut}};
    const Sent sent = driver.send(*line.channel, pieces);
    ASSERT_EQ(sent.error, 0);
    line.waiting.erase(0, sent.bytes);
  }
  void say_something(Line& line) {
    const size_t size = random().chance(1, 6) ? random().below(30'000) : random().below(300);
    std::string word = std::to_string(line.said.size()) + ":" + std::string(size, 'x') + " ";
    line.said += word;
    const bool queued = !line.waiting.empty();
    line.waiting += word;
    if (!queued) push(line);  // what is queued goes on when there is room
  }
  void settle(Line& line) {
    const Unsent back = driver.settle(*line.channel);
    line.waiting.insert(0, back.bytes.data(), back.bytes.size());
  }
  void take_in(std::array<Line, 4>& lines) {
    for (const unit::Happened& it : std::exchange(history, {})) {
      for (Line& line : lines) {
        if (it.channel != line.channel) continue;
        if (it.kind == Kind::kUnsent) line.waiting.insert(0, it.bytes);
        if (it.kind == Kind::kWritable) push(line);
      }
    }
  }
  void listen(Line& line, size_t bytes_max) {
    std::string bytes(bytes_max, '\0');
    const ssize_t size = ::recv(line.client, bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (size > 0) line.heard.append(bytes.data(), static_cast<size_t>(size));
  }
};

std::vector<unit::DriverCase> cases() {
  ServerOptions options;
  if (!use_io_uring(options)) return {};
  return {{.name = "io_uring", .make = make, .refuses = unit::Refuses::kNothing}};
}
INSTANTIATE_TEST_SUITE_P(Uring, RandomSends, ::testing::ValuesIn(cases()), unit::driver_name);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(RandomSends);

TEST_P(RandomSends, ArriveOnceAndInOrder) {
  std::array<Line, 4> lines;
  for (Line& line : lines) {
    line.channel = &fresh();
    line.client = connected(*line.channel);
    const int little = 16 << 10;
    ::setsockopt(line.client, SOL_SOCKET, SO_RCVBUF, &little, sizeof(little));
    ::setsockopt(line.channel->fd, SOL_SOCKET, SO_SNDBUF, &little, sizeof(little));
  }
  for (int step = 0; step < 4000; ++step) {
    Line& line = lines[random().below(lines.size())];
    const uint64_t what = random().below(10);
    if (what < 5 && line.waiting.size() < 200'000) say_something(line);
    if (what == 5) settle(line);
    if (what == 6) push(line);
    if (what == 7) listen(line, 1 + random().below(20'000));
    if (what >= 8) {
      turn(0);
      take_in(lines);
    }
  }
  heal();
  // To the end: everything is read, and what was refused for want of memory is tried again.
  const TimePoint deadline = real_platform().clock.now() + std::chrono::seconds(20);
  for (bool all = false; !all && real_platform().clock.now() < deadline;) {
    turn(1);
    take_in(lines);
    all = true;
    for (Line& line : lines) {
      push(line);
      listen(line, 1 << 20);
      all = all && line.heard.size() >= line.said.size();
    }
  }
  uint64_t bytes = 0;
  for (const Line& line : lines) {
    EXPECT_TRUE(line.heard == line.said) << line.heard.size() << " of " << line.said.size();
    bytes += line.said.size();
  }
  turn(0);
  EXPECT_EQ(counters.bytes_out.get(), bytes);
}

}  // namespace
}}  // namespace trireme
