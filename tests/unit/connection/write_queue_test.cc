// Goal: the write queue is a string that is cut in front and grown behind, within the budget.
// Method: by hand; then random use against a std::string, with latest pushes as a model of their
// own.
#include "connection/write_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <deque>
#include <optional>
#include <string>

#include "support/unit_seed.h"

namespace trireme { inline namespace v0 { namespace {

using Drop = WriteQueue::Drop;

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
  EXPECT_TRUE(queue.append(charged(buffers, "abcdef"), 4, Drop::kNever));
  EXPECT_EQ(content(queue), "ef");
  EXPECT_TRUE(queue.append(charged(buffers, "gone"), 4, Drop::kNever));
  EXPECT_EQ(queue.bytes(), 2u);
  EXPECT_EQ(buffers.bytes_now(), 6) << "what has left entirely is given back at once";
  queue.pop(2);
  EXPECT_EQ(buffers.bytes_now(), 0);
}

TEST(WriteQueue, DropsOnlyLatestThatHaveNotBegun) {
  Buffers buffers(1 << 20);
  WriteQueue queue;
  EXPECT_TRUE(queue.append(charged(buffers, "[begun]"), 0, Drop::kAsLatest));
  ASSERT_TRUE(queue.append(buffers, std::string_view("reply")));
  EXPECT_TRUE(queue.append(charged(buffers, "[old]"), 0, Drop::kAsLatest));
  EXPECT_TRUE(queue.append(charged(buffers, "push"), 0, Drop::kNever));
  EXPECT_TRUE(queue.append(charged(buffers, "[older]"), 0, Drop::kAsLatest));
  queue.pop(1);
  queue.drop_latest();
  EXPECT_EQ(content(queue), "begun]replypush");
  EXPECT_EQ(queue.bytes(), 15u);
  EXPECT_TRUE(queue.append(charged(buffers, "[new]"), 0, Drop::kAsLatest));
  EXPECT_EQ(content(queue), "begun]replypush[new]");
  queue.pop(queue.bytes());
  EXPECT_EQ(buffers.bytes_now(), 0);
}

TEST(WriteQueue, APushInPiecesIsDroppedAsAWhole) {
  Buffers buffers(1 << 20);
  WriteQueue queue;
  const auto add = [&](const std::string& head) {
    EXPECT_TRUE(queue.append(charged(buffers, head), 0, Drop::kAsLatest));
    EXPECT_TRUE(queue.append(charged(buffers, "[body]"), 0, Drop::kWithPrevious));
    EXPECT_TRUE(queue.append(charged(buffers, "[tail]"), 0, Drop::kWithPrevious));
  };
  add("first");
  ASSERT_TRUE(queue.append(buffers, std::string_view("reply")));
  add("second");
  queue.pop(5);  // the head of the first has left: all of it must
  queue.drop_latest();
  EXPECT_EQ(content(queue), "[body][tail]reply");
  EXPECT_EQ(queue.bytes(), content(queue).size());
  queue.pop(queue.bytes());
  EXPECT_EQ(buffers.bytes_now(), 0);
}

TEST(WriteQueue, SharedBytesAreSentFromWhereTheyAreAndChargedOnce) {
  Buffers buffers(1 << 20), other(1 << 20);
  const SharedBytes shared(std::string(50'000, 's'));
  std::array<WriteQueue, 100> queues;
  const auto append = [&](WriteQueue& queue, Buffers& budget) {
    std::optional<SharedUse> use = SharedUse::begin(shared, budget);
    ASSERT_TRUE(use);
    EXPECT_TRUE(queue.append(ChargedBytes(std::move(*use)), 0, Drop::kNever));
  };
  for (WriteQueue& queue : queues) append(queue, buffers);
  EXPECT_EQ(buffers.bytes_now(), 50'000);
  EXPECT_EQ(buffers.made(), 0u) << "no block was filled";
  for (const WriteQueue& queue : queues) {
    iovec piece{};
    ASSERT_EQ(queue.front({&piece, 1}), 1u);
    EXPECT_EQ(piece.iov_base, shared.view().data());
  }
  WriteQueue elsewhere;
  append(elsewhere, other);
  EXPECT_EQ(other.bytes_now(), 50'000) << "another server has a budget of its own";
  elsewhere.clear();
  EXPECT_EQ(other.bytes_now(), 0);
  for (size_t i = 0; i < queues.size(); ++i) {
    EXPECT_EQ(buffers.bytes_now(), 50'000) << "queue " << i << " still holds them";
    queues[i].clear();
  }
  EXPECT_EQ(buffers.bytes_now(), 0);
  append(queues[0], buffers);
  EXPECT_EQ(buffers.bytes_now(), 50'000) << "and again";
}

TEST(WriteQueue, ABudgetRefusesSharedBytes) {
  Buffers small(1000);
  const SharedBytes shared(std::string(1001, 's'));
  EXPECT_FALSE(SharedUse::begin(shared, small));
  EXPECT_EQ(small.bytes_now(), 0);
  EXPECT_TRUE(SharedUse::begin(SharedBytes(), small)) << "nothing costs nothing";
}

TEST(WriteQueue, DroppingTheLastLeavesItEmptyAndUsable) {
  Buffers buffers(1 << 20);
  WriteQueue queue;
  EXPECT_TRUE(queue.append(charged(buffers, "first"), 0, Drop::kNever));
  EXPECT_TRUE(queue.append(charged(buffers, "latest"), 0, Drop::kAsLatest));
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
    EXPECT_TRUE(queue.append(charged(buffers, std::to_string(i)), 0, Drop::kNever));
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
          EXPECT_TRUE(
              queue.append(charged(buffers, bytes), skip, latest ? Drop::kAsLatest : Drop::kNever));
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
