// The envelopes of one codec, made without a call for each answer where its recipe allows.
//
// Step 5. Thread: any; immutable once made. Inlined: every request has an answer.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "reply/envelope_guard.h"
#include "trireme/codec.h"

namespace trireme { inline namespace v0 {

class EnvelopeMaker {
 public:
  // Room that a head, or a tail, needs where it is written: copies of a constant size are no calls.
  static constexpr size_t kHeadRoom = 24;
  static constexpr size_t kTailRoom = sizeof(Envelope::tail);
  static constexpr size_t kSmallBytes = 2 << 10;

  // The codec is asked about each answer.
  EnvelopeMaker() = default;
  // As the codec's recipe says, if that makes sense.
  explicit EnvelopeMaker(const Codec& codec) noexcept;

  // Nothing goes around any answer.
  bool is_empty() const { return is_fixed_ && recipe_.around.is_empty(); }
  // Every answer has this envelope.
  bool is_fixed() const { return is_fixed_; }

  // It knows what goes around an answer of `body_bytes`. False: the codec must be asked.
  bool knows(size_t body_bytes) const { return is_fixed_ || body_bytes - least_ <= span_; }
  // It knows that of every answer of at most kSmallBytes.
  bool knows_small() const { return knows_small_; }
  // With knows(). Writes the head to `to`, which has kHeadRoom.
  const Envelope& put_head(size_t body_bytes, char* to) const {
    std::memcpy(to, recipe_.around.head.data(), recipe_.around.head.size());
    if (!is_fixed_) put_length(body_bytes, to);
    return recipe_.around;
  }

 private:
  // Eight bytes, of which the first are the length and the others those that are there.
  void put_length(uint64_t body_bytes, char* to) const {
    uint64_t word = (body_bytes + beside_) << shift_;
    if (swaps_) word = __builtin_bswap64(word);
    word |= behind_;
    std::memcpy(to + recipe_.length_offset, &word, sizeof(word));
  }

  bool is_fixed_ = false;
  bool knows_small_ = false;
  bool swaps_ = false;
  uint8_t shift_ = 0;
  EnvelopeRecipe recipe_;
  uint64_t least_ = UINT64_MAX, span_ = 0;  // of the answers for which there is a length
  uint64_t beside_ = 0;                     // modulo 2^64
  uint64_t behind_ = 0;                     // what the head has in the bytes behind the length
};

}}  // namespace trireme
