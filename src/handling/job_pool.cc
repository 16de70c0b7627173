#include "handling/job_pool.h"

#include <cstring>
#include <new>
#include <utility>

namespace trireme { inline namespace v0 {

JobPool::~JobPool() {
  while (free_ != nullptr) delete std::exchange(free_, static_cast<Job*>(free_->next));
}

Job* JobPool::make_new() { return new (std::nothrow) Job; }

bool JobPool::own_requests(Job& job) {
  job.home.on_data_worker = true;
  job.home.in_read_buffer = false;
  if (job.requests.count == 0) return true;
  if (job.requests.has_attached && !job.requests.attached.frame.empty()) return true;
  const std::string_view bytes = job.requests.bytes();
  if (bytes.empty()) return true;  // all of them own their bytes
  char* copy = job.requests.room_for(bytes.size());
  if (copy == nullptr) {
    if (bytes.size() > kStorageMax) {
      job.requests.storage = large_storage_.take(bytes.size());
    } else if (job.requests.storage.capacity() < bytes.size()) {
      job.requests.storage = Buffers::make_uncounted(BlockCache::capacity_for(bytes.size()));
    }
    if (!job.requests.storage) return false;
    copy = job.requests.storage.data();
  }
  std::memcpy(copy, bytes.data(), bytes.size());
  for (uint32_t i = 0; i < job.requests.count; ++i) {
    DecodedRequest& asked = job.requests.all[i];
    const bool is_owned = job.requests.has_attached && !job.requests.attached.owned.empty();
    if (!asked.payload.empty() && !is_owned) {
      asked.payload = {copy + (asked.payload.data() - bytes.data()), asked.payload.size()};
    }
    asked.end = copy + (asked.end - bytes.data());
  }
  job.requests.begin = copy;
  if (job.requests.has_attached) job.requests.place_view();
  return true;
}

void JobPool::recycle(Job& job) {
  job.outbox.clear();
  job.requests.kept.reset();
  job.requests.detach();
  job.home.charge = Charge();
  job.home.owner = nullptr;
  if (job.requests.storage.capacity() > kStorageMax) {
    large_storage_.keep(std::move(job.requests.storage));
    if (buffers_.under_pressure()) large_storage_.clear();
  }
  if (free_count_ >= kJobsMax) {
    delete &job;
  } else {
    keep(job);
  }
}

}}  // namespace trireme
