// Goal: the mistakes of a decoder with a memory of its own are told as values; nothing of what it
// said counts then; what it keeps is charged. Method: decoders that do as they are told.
#include "framing/guarded_decoder.h"

#include <gtest/gtest.h>

#include <functional>
#include <stdexcept>
#include <string>

namespace trireme { inline namespace v0 { namespace {

using Kind = Frame::Kind;
using Outcome = GuardedDecoder::Result;

struct DecoderPlan {
  std::function<void(std::span<char>, bool, DecodedFrame&)> decode;
  size_t held = 0;
  bool in_frame = false;
};

class PlannedDecoder final : public ConnectionDecoder {
 public:
  explicit PlannedDecoder(DecoderPlan& plan) : plan_(plan) {}
  void decode(std::span<char> input, bool ended, size_t, DecodedFrame& out) override {
    plan_.decode(input, ended, out);
  }
  size_t bytes_held() const override { return plan_.held; }
  bool is_in_frame() const override { return plan_.in_frame; }

 private:
  DecoderPlan& plan_;
};

class Guarded : public ::testing::Test {
 protected:
  Outcome ask(std::string_view input, bool ended = false) {
    input_ = input;
    out_ = {};
    mistake_.clear();
    return decoder_.decode(100, input_, ended, out_, mistake_);
  }

  DecoderPlan plan_;
  Buffers budget_{1 << 20};
  GuardedDecoder decoder_{std::make_unique<PlannedDecoder>(plan_), budget_};
  std::string input_;
  DecodedFrame out_;
  std::string mistake_;
};

TEST_F(Guarded, PassesOnWhatIsSound) {
  plan_.decode = [](std::span<char> input, bool, DecodedFrame& out) {
    input[0] = 'X';
    out.kind = Kind::kRequest;
    out.consumed = 2;
    out.payload = {input.data(), 2};
  };
  EXPECT_EQ(ask("abc"), Outcome::kFrame);
  EXPECT_EQ(out_.payload, "Xb") << "it may change its input";
  plan_.decode = [](std::span<char>, bool, DecodedFrame& out) {
    out.kind = Kind::kRequest;
    out.owned = std::string(100, 'o');
    out.payload = "elsewhere, which nobody looks at";
  };
  EXPECT_EQ(ask("abc"), Outcome::kFrame);
  plan_.decode = [](std::span<char>, bool, DecodedFrame& out) { out.kind = Kind::kGoodbye; };
  EXPECT_EQ(ask("abc"), Outcome::kFrame);
}

TEST_F(Guarded, AtTheEndNobodyWaits) {
  plan_.decode = [](std::span<char>, bool, DecodedFrame&) {};
  EXPECT_EQ(ask("abc"), Outcome::kFrame);
  EXPECT_EQ(out_.kind, Kind::kIncomplete);
  EXPECT_EQ(ask("abc", true), Outcome::kFrame);
  EXPECT_EQ(out_.kind, Kind::kEnd);
  EXPECT_EQ(out_.consumed, 3u);
}

TEST_F(Guarded, EveryMistakeIsTold) {
  const size_t limit = 100 + (64 << 10);
  const std::function<void(std::span<char>, bool, DecodedFrame&)> mistakes[] = {
      [](std::span<char>, bool, DecodedFrame&) { throw std::runtime_error("oh"); },
      [](std::span<char>, bool, DecodedFrame&) { throw 1; },
      [](std::span<char> input, bool, DecodedFrame& out) { out.consumed = input.size() + 1; },
      [](std::span<char>, bool, DecodedFrame& out) { out.kind = Kind::kSkip; },
      [](std::span<char>, bool, DecodedFrame& out) { out.kind = Kind::kEnd; },
      [](std::span<char>, bool, DecodedFrame& out) { out.kind = static_cast<Kind>(77); },
      [](std::span<char>, bool, DecodedFrame& out) {
        out.kind = Kind::kRequest;
        out.consumed = 1;
        out.payload = "elsewhere";
      },
      [=](std::span<char>, bool, DecodedFrame& out) { out.owned.resize(limit + 1); },
      [=](std::span<char>, bool, DecodedFrame& out) { out.reply.resize(limit + 1); },
      [=](std::span<char>, bool, DecodedFrame& out) { out.at_once.resize(limit + 1); },
      [=, this](std::span<char>, bool, DecodedFrame&) { plan_.held = limit + 1; },
  };
  for (const auto& mistake : mistakes) {
    plan_.decode = mistake;
    EXPECT_EQ(ask("abc"), Outcome::kMistake) << &mistake - mistakes;
    EXPECT_NE(mistake_, "") << &mistake - mistakes;
  }
}

TEST_F(Guarded, FrameAfterFrameOfNothingIsAMistake) {
  plan_.decode = [](std::span<char>, bool, DecodedFrame& out) { out.kind = Kind::kRequest; };
  for (int i = 0; i < 16; ++i) EXPECT_EQ(ask("abc"), Outcome::kFrame) << i;
  EXPECT_EQ(ask("abc"), Outcome::kMistake);
}

TEST_F(Guarded, WhatItKeepsIsChargedAndBounded) {
  plan_.decode = [](std::span<char>, bool, DecodedFrame&) {};
  plan_.held = 60'000;
  plan_.in_frame = true;
  EXPECT_EQ(ask("abc"), Outcome::kFrame);
  EXPECT_TRUE(decoder_.is_in_frame());
  EXPECT_EQ(budget_.bytes_now(), 60'000);
  plan_.held = 10;
  EXPECT_EQ(ask("abc"), Outcome::kFrame);
  EXPECT_EQ(budget_.bytes_now(), 10);
  Buffers small(1'000);
  {
    GuardedDecoder other(std::make_unique<PlannedDecoder>(plan_), small);
    DecodedFrame out;
    plan_.held = 900;
    EXPECT_EQ(other.decode(100, input_, false, out, mistake_), Outcome::kFrame);
    plan_.held = 1'100;
    EXPECT_EQ(other.decode(100, input_, false, out, mistake_), Outcome::kNoMemory);
  }
  EXPECT_EQ(small.bytes_now(), 0) << "given back with the decoder";
  plan_.decode = [](std::span<char>, bool, DecodedFrame&) { throw std::bad_alloc(); };
  EXPECT_EQ(ask("abc"), Outcome::kNoMemory);
  plan_.held = 0;
}

}  // namespace
}}  // namespace trireme
