// Goal: framed replies gather in order and up to their room, and each leaves once, whether while
// its job runs or after it. Method: made-up answers and an envelope of the test.
#include "handling/gathered_replies.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "support/lines_codec.h"

namespace trireme { inline namespace v0 { namespace {

class AngleBrackets final : public support::LinesCodec {
 public:
  Envelope envelope(size_t) const override {
    return {.head = {'<'}, .tail = {'>'}, .head_bytes = 1, .tail_bytes = 1};
  }
  bool has_fixed_envelope() const override { return true; }
};

class Gathered : public ::testing::Test {
 protected:
  Gathered() { replies_->reset(); }
  bool add(const std::string& body) { return replies_->add(body, envelopes_, codec_); }

  const AngleBrackets codec_;
  const EnvelopeMaker envelopes_{codec_};
  std::unique_ptr<GatheredReplies> replies_ = std::make_unique<GatheredReplies>();
};

TEST_F(Gathered, BodiesOfEveryLengthAreCopiedWhole) {
  std::string body;
  for (int size = 0; size <= 70; ++size) {
    replies_->reset();
    ASSERT_TRUE(add(body));
    EXPECT_EQ(replies_->text(), "<" + body + ">");
    body += static_cast<char>('a' + size % 26);
  }
}

TEST_F(Gathered, EachLeavesOnce) {
  ASSERT_TRUE(add("one"));
  ASSERT_TRUE(add("two"));
  EXPECT_EQ(replies_->published().count, 0u) << "a handler may still push in front of them";
  replies_->publish();
  ASSERT_TRUE(add("three"));
  EXPECT_EQ(replies_->published().count, 2u);
  EXPECT_EQ(replies_->leave(replies_->published()), "<one><two>");
  EXPECT_EQ(replies_->left_count(), 2u);
  EXPECT_EQ(replies_->leave(replies_->all_but_last()), "");
  EXPECT_EQ(replies_->leave(replies_->all()), "<three>");
  EXPECT_EQ(replies_->leave(replies_->all()), "");
}

TEST_F(Gathered, WhatDoesNotFitChangesNothing) {
  int added = 0;
  while (add(std::string(100, 'x'))) ++added;
  EXPECT_EQ(replies_->count(), static_cast<uint32_t>(added));
  EXPECT_EQ(replies_->text().size(), static_cast<size_t>(added) * 102);
  EXPECT_LE(replies_->text().size(), GatheredReplies::kBytes);
  EXPECT_GT(replies_->text().size(), GatheredReplies::kBytes - 150);
}

}}}  // namespace trireme
