// Latencies in constant memory: 128 equal buckets in every power of two, so that a percentile is
// at most 1/128 (0.8 %) above the true value and never below it.
//
// Part of the load engine. A value: one thread at a time, and each thread of a load has its own
// until they are merged.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

namespace load {

class Histogram {
 public:
  Histogram() : buckets_(kBuckets) {}

  void add(int64_t value) {
    const auto positive = static_cast<uint64_t>(std::max<int64_t>(value, 0));
    ++buckets_[bucket_of(positive)];
    ++count_;
    max_ = std::max(max_, positive);
  }

  // Forgets all values, and touches no new memory: a load that would wait for pages answers late.
  void clear() {
    std::fill(buckets_.begin(), buckets_.end(), 0);
    count_ = max_ = 0;
  }

  void merge(const Histogram& other) {
    for (size_t i = 0; i < kBuckets; ++i) buckets_[i] += other.buckets_[i];
    count_ += other.count_;
    max_ = std::max(max_, other.max_);
  }

  uint64_t count() const { return count_; }
  uint64_t max() const { return max_; }

  // The value that `fraction` (0 to 1) of all values do not exceed; 0 of an empty histogram.
  uint64_t percentile(double fraction) const {
    if (count_ == 0) return 0;
    const double wanted = fraction * static_cast<double>(count_);
    uint64_t seen = 0;
    for (size_t i = 0; i < buckets_.size(); ++i) {
      seen += buckets_[i];
      if (seen > 0 && static_cast<double>(seen) >= wanted) return std::min(last_of(i), max_);
    }
    return max_;
  }

  // A value that occurs, and how many values do not exceed it.
  struct Step {
    uint64_t value;
    uint64_t count;
  };
  // Every bucket that is not empty, from the lowest.
  std::vector<Step> steps() const {
    std::vector<Step> all;
    uint64_t seen = 0;
    for (size_t i = 0; i < kBuckets; ++i) {
      if (buckets_[i] == 0) continue;
      seen += buckets_[i];
      all.push_back({.value = std::min(last_of(i), max_), .count = seen});
    }
    return all;
  }

 private:
  static constexpr int kSubBits = 7;
  static constexpr uint64_t kSub = 1U << kSubBits;
  static constexpr size_t kBuckets = (64 - kSubBits + 1) * kSub;

  // Values under kSub have a bucket each; above, the top kSubBits + 1 bits name the bucket.
  static size_t bucket_of(uint64_t value) {
    if (value < kSub) return value;
    const int shift = static_cast<int>(std::bit_width(value)) - kSubBits - 1;
    return static_cast<size_t>(shift) * kSub + (value >> shift);
  }

  static uint64_t last_of(size_t bucket) {
    if (bucket < 2 * kSub) return bucket;
    const auto shift = bucket / kSub - 1;
    const uint64_t top = bucket - shift * kSub;
    return ((top + 1) << shift) - 1;
  }

  std::vector<uint64_t> buckets_;
  uint64_t count_ = 0;
  uint64_t max_ = 0;
};

}  // namespace load
