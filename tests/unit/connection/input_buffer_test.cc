// Goal: what an InputBuffer promises to its connection and to jobs that share its block. Method:
// one buffer, a budget of its own, no loop.
#include "connection/input_buffer.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

namespace trireme { inline namespace v0 { namespace {

class InputBufferTest : public ::testing::Test {
 protected:
  ~InputBufferTest() override { input_.reset(); }
  void append(std::string_view bytes) { ASSERT_TRUE(input_.append(blocks_, bytes)); }

  Buffers budget_{64 << 10};
  InputBlocks blocks_{budget_};
  InputBuffer input_;
};

TEST_F(InputBufferTest, HoldsNoBlockBeforeTheFirstBytes) {
  EXPECT_FALSE(input_.has_block());
  EXPECT_EQ(input_.view(), "");
  append("part");
  EXPECT_TRUE(input_.has_block());
  EXPECT_EQ(input_.view(), "part");
}

TEST_F(InputBufferTest, GoesOnBehindWhatIsConsumed) {
  append("first second");
  input_.consume(6);
  append(" third");
  EXPECT_EQ(input_.view(), "second third");
  input_.consume(12);
  EXPECT_EQ(input_.bytes(), 0u);
  EXPECT_TRUE(input_.has_block()) << "a job may look at it";
}

TEST_F(InputBufferTest, MovesItsBytesToTheFrontWhereTheyAreAloneInTheBlock) {
  append(std::string(InputBlocks::kBytesMin, 'a'));
  const char* const begin = input_.view().data();
  input_.consume(InputBlocks::kBytesMin - 1);
  append("b");
  EXPECT_EQ(input_.view(), "ab");
  EXPECT_EQ(input_.view().data(), begin);
}

TEST_F(InputBufferTest, NeverMovesBytesThatAJobShares) {
  append(std::string(InputBlocks::kBytesMin, 'a'));
  const std::string_view seen = input_.view();
  const std::shared_ptr<Block> shared = input_.share();
  input_.consume(InputBlocks::kBytesMin - 1);
  append("b");
  EXPECT_EQ(input_.view(), "ab");
  EXPECT_EQ(seen, std::string(InputBlocks::kBytesMin, 'a'));
}

TEST_F(InputBufferTest, TakesBackOnlyWhatItHasConsumedLast) {
  append("one two");
  const std::string_view all = input_.view();
  input_.consume(4);
  const std::string elsewhere = "one ";
  EXPECT_FALSE(input_.unconsume(elsewhere));
  EXPECT_FALSE(input_.unconsume(all.substr(0, 3)));
  EXPECT_TRUE(input_.unconsume(all.substr(0, 4)));
  EXPECT_EQ(input_.view(), "one two");
}

TEST_F(InputBufferTest, PutsBytesOfAJobInFrontOfItsOwn) {
  append("two");
  ASSERT_TRUE(input_.put_in_front(blocks_, "one ", input_.view()));
  EXPECT_EQ(input_.view(), "one two");
}

TEST_F(InputBufferTest, GoesOnInABufferThatItShares) {
  auto block = std::make_shared<Block>(budget_.make(100));
  std::memcpy(block->data(), "done rest", 9);
  input_.share(block, {block->data() + 5, 4});
  EXPECT_EQ(input_.view(), "rest");
  append(" more");
  EXPECT_EQ(input_.view(), "rest more");
  EXPECT_EQ(std::string_view(block->data(), 9), "done rest");
}

TEST_F(InputBufferTest, ChangesNothingWhereTheBudgetRefuses) {
  append("kept");
  EXPECT_FALSE(input_.append(blocks_, std::string(1 << 20, 'x')));
  EXPECT_FALSE(input_.put_in_front(blocks_, std::string(1 << 20, 'x'), input_.view()));
  EXPECT_EQ(input_.view(), "kept");
}

TEST_F(InputBufferTest, ADroppedBlockServesTheNextConnection) {
  append("part");
  const char* const memory = input_.view().data();
  input_.drop(blocks_);
  EXPECT_FALSE(input_.has_block());
  InputBuffer other;
  ASSERT_TRUE(other.append(blocks_, "other"));
  EXPECT_EQ(other.view().data(), memory);
}

TEST_F(InputBufferTest, ADroppedBlockThatAJobSharesIsLeftToTheJob) {
  append("part");
  const std::string_view seen = input_.view();
  const std::shared_ptr<Block> shared = input_.share();
  input_.drop(blocks_);
  InputBuffer other;
  ASSERT_TRUE(other.append(blocks_, "other"));
  EXPECT_EQ(seen, "part");
}

TEST_F(InputBufferTest, WhileMemoryIsShortNoBlockIsKept) {
  append("part");
  input_.drop(blocks_);
  const int64_t kept = budget_.bytes_now();
  EXPECT_GT(kept, 0);
  append("part");
  const Block pressure = budget_.make(40 << 10);
  input_.drop(blocks_);
  EXPECT_EQ(budget_.bytes_now(), 40 << 10);
}

}  // namespace
}}  // namespace trireme
