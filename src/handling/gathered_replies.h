// The small plain answers of one job, framed one behind the other as its handlers give them. The
// holder may send those that are complete while a later handler runs.
//
// Step 5. Threads: the one that runs the job adds and publishes; the holder reads what is
// published, and all of it when the job has come home. Bounded: kBytes.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "handling/published_replies.h"
#include "reply/envelope_maker.h"
#include "trireme/codec.h"

namespace trireme { inline namespace v0 {

class GatheredReplies {
 public:
  static constexpr uint32_t kBytes = 2 << 10;

  // So many of the first replies, and their bytes.
  struct Part {
    uint32_t count = 0;
    uint32_t bytes = 0;
  };

  // The holder, before the job is handed over or lent.
  void reset() {
    all_ = left_ = {};
    is_on_ = false;
    published_.reset();
  }
  // The same: replies may gather, for the connection is serial.
  void switch_on() { is_on_ = true; }
  bool is_on() const { return is_on_; }

  // The thread that runs the job. Frames an answer behind the others. False: it does not fit, or
  // the codec has made a mistake.
  bool add(std::string_view body, const EnvelopeMaker& envelopes, const Codec& codec);
  // The same, before the next handler: the holder may send them.
  void publish() { published_.publish(all_.count, all_.bytes); }

  // The thread that has the job.
  uint32_t count() const { return all_.count; }
  std::string_view text() const { return {bytes_.data(), all_.bytes}; }
  Part all() const { return all_; }
  // With count() > 0.
  Part all_but_last() const { return {all_.count - 1, last_begin_}; }

  // The holder, from here on, also while the job runs.
  Part published() const {
    const uint64_t word = published_.read();
    return {PublishedReplies::count(word), PublishedReplies::bytes(word)};
  }
  // Those that have left already.
  uint32_t left_count() const { return left_.count; }
  // The replies up to `part`, less those that have left already; now they have.
  std::string_view leave(Part part) {
    const std::string_view leaving(bytes_.data() + left_.bytes, part.bytes - left_.bytes);
    left_ = part;
    return leaving;
  }
  const char* data() const { return bytes_.data(); }

 private:
  static void copy(char* to, std::string_view bytes);
  void put(std::string_view body, const Envelope& around);
  bool add_asked(std::string_view body, const Codec& codec);

  Part all_;
  Part left_;  // only the holder, even while the handler runs
  uint32_t last_begin_ = 0;
  bool is_on_ = false;
  PublishedReplies published_;  // all_ before the handler that runs now
  std::array<char, kBytes> bytes_;
};

// Most answers are short, and then a call costs more than the copy: the first and the last bytes,
// which may overlap.
[[gnu::always_inline]] inline void GatheredReplies::copy(char* to, std::string_view bytes) {
  const size_t size = bytes.size();
  const char* from = bytes.data();
  const auto ends = [&](auto part) {
    decltype(part) first, last;
    std::memcpy(&first, from, sizeof(part));
    std::memcpy(&last, from + size - sizeof(part), sizeof(part));
    std::memcpy(to, &first, sizeof(part));
    std::memcpy(to + size - sizeof(part), &last, sizeof(part));
  };
  if (size > 32) {
    std::memcpy(to, from, size);
  } else if (size > 16) {
    ends(std::array<uint64_t, 2>{});
  } else if (size >= 8) {
    ends(uint64_t{});
  } else if (size >= 4) {
    ends(uint32_t{});
  } else if (size > 0) {
    to[0] = from[0];
    to[size / 2] = from[size / 2];
    to[size - 1] = from[size - 1];
  }
}

// Inline: run once a request, from one place.
[[gnu::always_inline]] inline bool GatheredReplies::add(std::string_view body,
                                                        const EnvelopeMaker& envelopes,
                                                        const Codec& codec) {
  constexpr size_t kRoom = EnvelopeMaker::kHeadRoom + EnvelopeMaker::kTailRoom;
  if (body.size() + kRoom > bytes_.size() - all_.bytes) return false;
  static_assert(kBytes <= EnvelopeMaker::kSmallBytes);
  if (!envelopes.knows_small()) [[unlikely]]
    return add_asked(body, codec);
  put(body, envelopes.put_head(body.size(), bytes_.data() + all_.bytes));
  return true;
}

// With its head, which is there, and its tail. There is room.
[[gnu::always_inline]] inline void GatheredReplies::put(std::string_view body,
                                                        const Envelope& around) {
  last_begin_ = all_.bytes;
  ++all_.count;
  char* const begin = bytes_.data() + all_.bytes;
  char* const text = begin + around.head_bytes;
  copy(text, body);
  char* const tail = text + body.size();
  std::memcpy(tail, around.tail.data(), around.tail.size());
  all_.bytes += static_cast<uint32_t>(tail + around.tail_bytes - begin);
}

}}  // namespace trireme
