// The jobs of one loop that nobody needs now, kept for its next requests: a request allocates
// nothing.
//
// Step 4. Thread: the holder of the loop. Bounded: kJobsMax jobs are kept, each with kStorageMax
// bytes of storage at most, and kLargeStorageMax bytes of larger storage for all together. What is
// kept is not charged to the budget, so it is little.
#pragma once

#include <cstddef>
#include <cstdint>

#include "handling/job.h"
#include "runtime/memory/block_cache.h"

namespace trireme { inline namespace v0 {

class JobPool {
 public:
  static constexpr uint32_t kJobsMax = 256;
  static constexpr size_t kStorageMax = 4 << 10;
  static constexpr size_t kLargeStorageMax = 2 << 20;

  explicit JobPool(const Buffers& buffers) : buffers_(buffers) {}
  ~JobPool();
  JobPool(const JobPool&) = delete;
  JobPool& operator=(const JobPool&) = delete;

  // A job as every run starts with it; the caller owns it. Null: there is no memory for one.
  Job* make() {
    Job* job = free_;
    if (job != nullptr) {
      free_ = static_cast<Job*>(job->next);
      --free_count_;
      job->next = nullptr;
    } else if ((job = make_new()) == nullptr) {
      return nullptr;
    }
    job->reset();
    return job;
  }
  // For a data worker: the job gets its own copy of its requests. False: there is no memory for it.
  [[nodiscard]] bool own_requests(Job& job);
  // Takes ownership. All that its run has left behind is gone afterwards.
  void recycle(Job& job);
  // The same for a job that ran in its loop, kept it, and has left nothing behind.
  void keep(Job& job) {
    ++free_count_;
    job.next = free_;
    free_ = &job;
  }
  uint32_t kept_count() const { return free_count_; }

 private:
  static Job* make_new();

  const Buffers& buffers_;
  Job* free_ = nullptr;  // by Mail::next
  uint32_t free_count_ = 0;
  BlockCache large_storage_{kLargeStorageMax};
};

}}  // namespace trireme
