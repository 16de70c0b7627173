// Goal: the load waits for its connections as long as it is told, whatever calls the system has.
// Method: an epoll set with a pipe, and a first call that fails.
#include "load/event_wait.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "load/clocks.h"

namespace load { namespace {

int calls = 0;
int refusal = 0;

int refuse(int, epoll_event*, int, const timespec*, const sigset_t*) {
  ++calls;
  errno = refusal;
  return -1;
}

class EventWaitTest : public ::testing::TestWithParam<int> {
 protected:
  EventWaitTest() : wait_(GetParam() == 0 ? &::epoll_pwait2 : &refuse) {
    calls = 0;
    refusal = GetParam();
    EXPECT_EQ(::pipe(pipe_), 0);
    epoll_event event{.events = EPOLLIN, .data = {.u32 = 7}};
    EXPECT_EQ(::epoll_ctl(set_, EPOLL_CTL_ADD, pipe_[0], &event), 0);
  }
  ~EventWaitTest() override {
    for (const int fd : {set_, pipe_[0], pipe_[1]}) ::close(fd);
  }

  int set_ = ::epoll_create1(EPOLL_CLOEXEC);
  int pipe_[2] = {-1, -1};
  std::array<epoll_event, 4> events_{};
  EventWait wait_;
};

TEST_P(EventWaitTest, WaitsAsLongAsItIsTold) {
  for (const int64_t timeout : {int64_t{-1}, int64_t{0}, int64_t{300'000}, int64_t{5'000'000}}) {
    const int64_t begin = now_ns();
    EXPECT_EQ(wait_.wait(set_, events_, timeout), 0u);
    EXPECT_GE(now_ns() - begin, timeout);
  }
  EXPECT_LE(calls, 1) << "what was refused once is not tried again";
}

TEST_P(EventWaitTest, ReturnsWithWhatIsReady) {
  ASSERT_EQ(::write(pipe_[1], "x", 1), 1);
  for (const int64_t timeout : {int64_t{0}, 3600 * kNanosecondsPerSecond}) {
    ASSERT_EQ(wait_.wait(set_, events_, timeout), 1u);
    EXPECT_EQ(events_[0].data.u32, 7u);
  }
}

// 0: the call works, if this system has it.
INSTANTIATE_TEST_SUITE_P(Errors, EventWaitTest, ::testing::Values(0, ENOSYS, EPERM, EACCES));

TEST(EventWait, ASetThatIsNoneEndsTheProcess) {
  EventWait wait;
  std::array<epoll_event, 1> events{};
  EXPECT_EXIT(wait.wait(-1, events, 1'000), ::testing::ExitedWithCode(1),
              "trireme: cannot wait for the connections: Bad file descriptor");
}

}  // namespace
}  // namespace load
