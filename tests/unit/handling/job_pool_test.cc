// Goal: a pool of jobs hands out clean jobs, keeps few of them and little memory, and copies what a
// data worker is to read. Method: jobs with made-up requests in memory of the test.
#include "handling/job_pool.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace trireme { inline namespace v0 { namespace {

class JobPoolTest : public ::testing::Test {
 protected:
  // A job of requests of `size` bytes, each with a newline behind it, which lie in `input_`.
  Job& job_of(uint32_t count, size_t size) {
    input_.clear();
    for (uint32_t i = 0; i < count; ++i) {
      input_ += std::string(size, static_cast<char>('a' + i)) + "\n";
    }
    Job& job = *pool_.make();
    job.home.in_read_buffer = true;
    job.requests.begin = input_.data();
    job.requests.count = count;
    for (uint32_t i = 0; i < count; ++i) {
      const char* const begin = input_.data() + i * (size + 1);
      job.requests.all[i] = {std::string_view(begin, size), begin + size + 1, {}, i};
    }
    return job;
  }
  bool is_in_input(const char* byte) const {
    return byte >= input_.data() && byte < input_.data() + input_.size();
  }

  Buffers buffers_{1 << 20};
  JobPool pool_{buffers_};
  std::string input_;
};

TEST_F(JobPoolTest, AJobComesBackClean) {
  Job& job = job_of(3, 10);
  job.requests.run = 2;
  job.run.threw = job.run.timed = job.run.cpu_timed = job.run.reply_taken = true;
  job.home.lost_loop = job.home.on_data_worker = true;
  job.loan.asked_as = 7;
  job.replies.switch_on();
  job.replies.publish();
  job.cancellation.run_no_more();
  job.cancellation.set_deadline(TimePoint(Duration(1)));
  job.outbox.put(Answer("left behind"));
  ASSERT_TRUE(buffers_.charge(100));
  job.home.charge = Charge(buffers_, 100);
  pool_.recycle(job);
  EXPECT_EQ(buffers_.bytes_now(), 0);
  Job& again = *pool_.make();
  ASSERT_EQ(&again, &job);
  EXPECT_EQ(again.requests.count + again.requests.run + again.requests.number, 0u);
  EXPECT_FALSE(again.run.threw || again.run.timed || again.run.cpu_timed || again.run.reply_taken);
  EXPECT_FALSE(again.home.lost_loop || again.home.on_data_worker || again.home.in_read_buffer);
  EXPECT_EQ(again.loan.asked_as, 0u);
  EXPECT_FALSE(again.replies.is_on() || again.cancellation.runs_no_more());
  EXPECT_FALSE(again.cancellation.has_expired(TimePoint(std::chrono::hours(1))));
  EXPECT_FALSE(again.outbox.has_answer());
  EXPECT_EQ(again.next, nullptr);
  pool_.recycle(again);
}

TEST_F(JobPoolTest, KeepsNoMoreJobsThanItSays) {
  std::vector<Job*> jobs;
  for (uint32_t i = 0; i < JobPool::kJobsMax + 10; ++i) jobs.push_back(pool_.make());
  for (Job* job : jobs) pool_.recycle(*job);
  EXPECT_EQ(pool_.kept_count(), JobPool::kJobsMax);
}

// Behind the requests, where they are few; in a block of the job's own, where they are more.
TEST_F(JobPoolTest, ADataWorkerReadsACopy) {
  for (const size_t size : {size_t{20}, size_t{1000}, JobPool::kStorageMax}) {
    Job& job = job_of(2, size);
    const std::string before = input_;
    ASSERT_TRUE(pool_.own_requests(job));
    EXPECT_TRUE(job.home.on_data_worker);
    EXPECT_FALSE(job.home.in_read_buffer);
    EXPECT_EQ(job.requests.storage.capacity() > 0, size > 20);
    for (uint32_t i = 0; i < 2; ++i) {
      const DecodedRequest& request = job.requests.all[i];
      EXPECT_FALSE(is_in_input(request.payload.data()));
      EXPECT_EQ(request.payload, before.substr(i * (size + 1), size));
      EXPECT_EQ(request.end, request.payload.data() + size + 1);
      EXPECT_EQ(request.kind, i);
    }
    pool_.recycle(job);
  }
}

TEST_F(JobPoolTest, AnEmptyRequestHasNoBytesToCopy) {
  Job& job = job_of(1, 0);
  ASSERT_TRUE(pool_.own_requests(job));
  EXPECT_TRUE(job.requests.all[0].payload.empty());
  pool_.recycle(job);
}

// Its own storage stays with a job while that is small; a large one goes to the pool.
TEST_F(JobPoolTest, AJobKeepsLittleStorage) {
  Job& small = job_of(1, JobPool::kStorageMax - 1);
  ASSERT_TRUE(pool_.own_requests(small));
  pool_.recycle(small);
  Job& same = *pool_.make();
  EXPECT_EQ(same.requests.storage.capacity(), JobPool::kStorageMax);
  pool_.recycle(same);

  Job& large = job_of(1, 100'000);
  ASSERT_TRUE(pool_.own_requests(large));
  const char* const block = large.requests.storage.data();
  pool_.recycle(large);
  EXPECT_EQ(large.requests.storage.capacity(), 0u);
  Job& next = job_of(1, 90'000);
  ASSERT_TRUE(pool_.own_requests(next));
  EXPECT_EQ(next.requests.storage.data(), block) << "the block was not used again";
  pool_.recycle(next);
}

}}}  // namespace trireme
