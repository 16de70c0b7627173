// Goal: jobs that were put aside leave in their order, without those that were withdrawn; jobs with
// several requests on data workers are looked at in turn, and more seldom the more there are.
// Method: jobs on the heap and made-up times.
#include "handling/jobs_out.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <vector>

namespace trireme { inline namespace v0 { namespace {

using namespace std::chrono_literals;

class Out : public ::testing::Test {
 protected:
  static constexpr size_t kJobs = 4;

  Out() {
    for (auto& job : jobs_) {
      job = std::make_unique<Job>();
      job->requests.count = 2;
    }
  }
  void put_all_aside() {
    for (auto& job : jobs_) out_.put_aside(*job);
  }
  // The numbers of the jobs that it gives out; checks the links that Crew::submit relies on.
  std::vector<size_t> take() {
    std::vector<size_t> taken;
    Job* before = nullptr;
    for (Job* job = out_.take_all(); job != nullptr; job = static_cast<Job*>(job->next)) {
      EXPECT_EQ(job->previous, before);
      EXPECT_TRUE(job->is_put_aside);
      before = job;
      for (size_t i = 0; i < kJobs; ++i) {
        if (jobs_[i].get() == job) taken.push_back(i);
      }
    }
    EXPECT_FALSE(out_.has_aside());
    return taken;
  }

  std::array<std::unique_ptr<Job>, kJobs> jobs_;
  JobsOut out_;
  TimePoint now_ = TimePoint(1h);
};

TEST_F(Out, TheyLeaveInTheirOrder) {
  EXPECT_FALSE(out_.has_aside());
  put_all_aside();
  EXPECT_TRUE(out_.has_aside());
  EXPECT_EQ(take(), (std::vector<size_t>{0, 1, 2, 3}));
  EXPECT_EQ(take(), std::vector<size_t>{});
}

TEST_F(Out, AnyOfThemMayBeWithdrawn) {
  for (size_t gone = 0; gone < kJobs; ++gone) {
    put_all_aside();
    out_.withdraw(*jobs_[gone]);
    EXPECT_FALSE(jobs_[gone]->is_put_aside);
    EXPECT_EQ(jobs_[gone]->next, nullptr);
    EXPECT_EQ(jobs_[gone]->previous, nullptr);
    std::vector<size_t> others{0, 1, 2, 3};
    others.erase(others.begin() + static_cast<std::ptrdiff_t>(gone));
    EXPECT_EQ(take(), others) << "without " << gone;
  }
}

TEST_F(Out, OneMayFollowThatWasWithdrawnLast) {
  out_.put_aside(*jobs_[0]);
  out_.put_aside(*jobs_[1]);
  out_.withdraw(*jobs_[1]);
  out_.put_aside(*jobs_[2]);
  EXPECT_EQ(take(), (std::vector<size_t>{0, 2}));
  out_.put_aside(*jobs_[3]);
  out_.withdraw(*jobs_[3]);
  EXPECT_FALSE(out_.has_aside());
}

TEST_F(Out, TheyAreLookedAtInTurn) {
  EXPECT_EQ(out_.look_at(), kNever);
  out_.watch(*jobs_[0], now_);
  out_.watch(*jobs_[1], now_ + 100us);
  EXPECT_EQ(out_.look_at(), now_ + 1ms);
  EXPECT_EQ(out_.due(now_ + 999us), nullptr);
  ASSERT_EQ(out_.due(now_ + 1ms), jobs_[0].get());
  out_.look_later(*jobs_[0], now_ + 1ms);
  EXPECT_EQ(out_.due(now_ + 1ms), nullptr);
  EXPECT_EQ(out_.look_at(), now_ + 1100us);
  ASSERT_EQ(out_.due(now_ + 3ms), jobs_[1].get());
  out_.forget(*jobs_[1]);
  EXPECT_EQ(out_.due(now_ + 3ms), jobs_[0].get());
  out_.forget(*jobs_[0]);
  EXPECT_FALSE(out_.has_watched());
}

// 16 us more for each, where a thousand are out.
TEST_F(Out, ManyAreLookedAtMoreSeldom) {
  std::vector<std::unique_ptr<Job>> many;
  for (int i = 0; i < 1000; ++i) {
    many.push_back(std::make_unique<Job>());
    many.back()->requests.count = 2;
    out_.watch(*many.back(), now_);
  }
  EXPECT_EQ(many.front()->out.look_at, now_ + 1ms);
  EXPECT_EQ(many.back()->out.look_at, now_ + 16ms);
  for (auto& job : many) out_.forget(*job);
  out_.watch(*jobs_[0], now_);
  EXPECT_EQ(out_.look_at(), now_ + 1ms) << "those that are home are still counted";
  out_.forget(*jobs_[0]);
}

TEST_F(Out, AJobOfOneRequestWasNeverWatched) {
  jobs_[0]->requests.count = 1;
  out_.watch(*jobs_[1], now_);
  out_.forget(*jobs_[0]);
  EXPECT_EQ(out_.due(now_ + 1ms), jobs_[1].get());
  out_.forget(*jobs_[1]);
}

}}}  // namespace trireme
