// Goal: the write queue is a string that is cut in front and grown behind, within the budget.
// Method: by hand; then random use against a std::string, with latest pushes as a model of their
// own.
#include "connection/write_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <deque>
#include <string>

#include "support/unit_seed.h"

namespace trireme { inline namespace v0 { namespace {

ChargedBytes charged(Buffers& buffers, std::string bytes) {
  EXPECT_TRUE(buffers.charge(bytes.size()));
  return ChargedBytes(std::move(bytes), buffers);
}

std::string content(const WriteQueue& queue) {
  std::array<iovec, 1000> pieces;
  std::string all;
  const size_t count = queue.front(pieces);
  EXPECT_LT(count, pieces.size());
  for (size_t i = 0; i < count; ++i) {
    all.append(static_cast<const char*>(pieces[i].iov_base), pieces[i].iov_len);
  }
  return all;
}

TEST(WriteQueue, HoldsMemoryOnlyWhileItHoldsBytes) {
  Buffers buffers(1 << 20);
  WriteQueue queue;
  EXPECT_TRUE(queue.empty());
  EXPECT_TRUE(queue.append(buffers, std::string_view("hello")));
  EXPECT_EQ(queue.bytes(), 5u);
  EXPECT_GT(buffers.bytes_now(), 0);
  queue.pop(5);
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(buffers.bytes_now(), 0);
  EXPECT_EQ(buffers.made(), buffers.gone());
}

TEST(WriteQueue, AppendsSmallPiecesToOneBlock) {
  Buffers buffers(1 << 20);
  WriteQueue queue;
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(queue.append(buffers, std::string_view("0123456789")));
  EXPECT_EQ(buffers.made(), 1u);
  EXPECT_EQ(content(queue).size(), 10'000u);
}

TEST(WriteQueue, RefusedByTheBudgetItKeepsWhatItHad) {
  Buffers buffers(20 << 10);
  WriteQueue queue;
  ASSERT_TRUE(queue.append(buffers, std::string_view("kept")));
  EXPECT_FALSE(queue.append(buffers, std::string(30 << 10, 'x')));
  EXPECT_EQ(content(queue).substr(0, 4), "kept");
  queue.clear();
  EXPECT_EQ(buffers.bytes_now(), 0);
}

TEST(WriteQueue, TakesOverBytesOfWhichAPartHasLeft) {
  Buffers buffers(1 << 20);
  WriteQueue queue;
  EXPECT_TRUE(queue.append(charged(buffers, "abcdef"), 4, false));
  EXPECT_EQ(content(queue), "ef");
  EXPECT_TRUE(queue.append(charged(buffers, "gone"), 4, false));
  EXPECT_EQ(queue.bytes(), 2u);
  EXPECT_EQ(buffers.bytes_now(), 6) << "what has left entirely is given back at once";
  queue.pop(2);
  EXPECT_EQ(buffers.bytes_now(), 0);
}

TEST(WriteQueue, DropsOnlyLatestThatHaveNotBegun) {
  Buffers buffers(1 << 20);
  WriteQueue queue;
  EXPECT_TRUE(queue.append(charged(buffers, "[begun]"), 0, true));
  ASSERT_TRUE(queue.append(buffers, std::string_view("reply")));
  EXPECT_TRUE(queue.append(charged(buffers, "[old]"), 0, true));
  EXPECT_TRUE(queue.append(charged(buffers, "push"), 0, false));
  EXPECT_TRUE(queue.append(charged(buffers, "[older]"), 0, true));
  queue.pop(1);
  queue.drop_latest();
  EXPECT_EQ(content(queue), "begun]replypush");
  EXPECT_EQ(queue.bytes(), 15u);
  EXPECT_TRUE(queue.append(charged(buffers, "[new]"), 0, true));
  EXPECT_EQ(content(queue), "begun]replypush[new]");
  queue.pop(queue.bytes());
  EXPECT_EQ(buffers.bytes_now(), 0);
}

TEST(WriteQueue, DroppingTheLastLeavesItEmptyAndUsable) {
  Buffers buffers(1 << 20);
  WriteQueue queue;
  EXPECT_TRUE(queue.append(charged(buffers, "first"), 0, false));
  EXPECT_TRUE(queue.append(charged(buffers, "latest"), 0, true));
  queue.pop(5);
  queue.drop_latest();
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(buffers.bytes_now(), 0);
  ASSERT_TRUE(queue.append(buffers, std::string_view("next")));
  queue.drop_latest();
  EXPECT_EQ(content(queue), "next");
}

TEST(WriteQueue, FrontGivesAtMostWhatIsAskedFor) {
  Buffers buffers(1 << 20);
  WriteQueue queue;
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(queue.append(charged(buffers, std::to_string(i)), 0, false));
  }
  std::array<iovec, 3> three;
  EXPECT_EQ(queue.front(three), 3u);
  EXPECT_EQ(*static_cast<char*>(three[2].iov_base), '2');
  std::array<iovec, 9> nine;
  EXPECT_EQ(queue.front(nine), 5u);
}

TEST(WriteQueueDeathTest, PoppingMoreThanThereIsAborts) {
  WriteQueue queue;
  EXPECT_DEATH(queue.pop(1), "more bytes have left than there were");
}

// What the queue must be: pieces, some of which may be dropped while whole.
struct Piece {
  std::string bytes;
  bool latest = false;
  bool begun = false;
};

TEST(WriteQueueProperty, RandomUseAgreesWithAString) {
  Random random = unit::seeded_random();
  std::string text(80'000, '\0');
  for (char& byte : text) byte = static_cast<char>('a' + random.below(26));
  for (int round = 0; round < 200; ++round) {
    Buffers buffers(1 << 24);
    WriteQueue queue;
    std::deque<Piece> model;
    for (int step = 0; step < 150; ++step) {
      const size_t length = random.chance(1, 10) ? random.below(40'000) : random.below(50);
      const std::string bytes = text.substr(random.below(40'000), length);
      switch (random.below(6)) {
        case 0:
        case 1:
          ASSERT_TRUE(queue.append(buffers, bytes));
          if (!bytes.empty()) model.push_back({bytes});
          break;
        case 2: {
          const size_t skip = random.below(bytes.size() + 1);
          const bool latest = skip == 0 && random.chance(1, 2);
          EXPECT_TRUE(queue.append(charged(buffers, bytes), skip, latest));
          if (skip < bytes.size()) model.push_back({bytes.substr(skip), latest});
          break;
        }
        case 3:
          queue.drop_latest();
          std::erase_if(model, [](const Piece& piece) { return piece.latest && !piece.begun; });
          break;
        default: {
          size_t gone = random.below(queue.bytes() + 1);
          queue.pop(gone);
          while (gone > 0) {
            Piece& front = model.front();
            const size_t now = std::min(gone, front.bytes.size());
            front.bytes.erase(0, now);
            front.begun = true;
            gone -= now;
            if (front.bytes.empty()) model.pop_front();
          }
        }
      }
      std::string wanted;
      for (const Piece& piece : model) wanted += piece.bytes;
      ASSERT_EQ(queue.bytes(), wanted.size());
      ASSERT_TRUE(content(queue) == wanted) << "round " << round << ", step " << step;
      if (wanted.empty()) {
        ASSERT_EQ(buffers.bytes_now(), 0);
      }
    }
    queue.clear();
    ASSERT_EQ(buffers.bytes_now(), 0);
  }
}

}  // namespace
}}  // namespace trireme
