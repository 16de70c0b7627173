// Goal: an envelope that is made by a recipe is the one that the codec would make; a recipe that
// makes no sense is not used. Method: all layouts of length_prefix, and recipes of the test.
#include "reply/envelope_maker.h"

#include <gtest/gtest.h>

#include <array>
#include <optional>
#include <stdexcept>
#include <string>

#include "support/lines_codec.h"
#include "trireme/codecs.h"

namespace trireme { inline namespace v0 { namespace {

// Nothing: the codec must be asked.
std::optional<std::string> made(const EnvelopeMaker& maker, size_t bytes) {
  if (!maker.knows(bytes)) return {};
  std::array<char, EnvelopeMaker::kHeadRoom> head;
  head.fill('?');
  const Envelope& around = maker.put_head(bytes, head.data());
  return std::string(head.data(), around.head_bytes) + "|" +
         std::string(around.tail.data(), around.tail_bytes);
}

std::optional<std::string> asked(const Codec& codec, size_t bytes) {
  try {
    const Envelope around = codec.envelope(bytes);
    return std::string(around.head.data(), around.head_bytes) + "|" +
           std::string(around.tail.data(), around.tail_bytes);
  } catch (const std::length_error&) {
    return {};
  }
}

TEST(EnvelopeMaker, MakesWhatTheCodecWouldMake) {
  constexpr size_t kSizes[] = {0, 1, 2, 7, 200, 255, 256, 257, 65'535, 65'536, 20'000'000};
  for (const uint8_t width : {1, 2, 3, 4, 8}) {
    for (const ByteOrder order : {ByteOrder::kBig, ByteOrder::kLittle}) {
      for (const uint8_t offset : {0, 1, 5, 8}) {
        for (const int adjustment : {0, -2, 3}) {
          for (const bool includes_head : {false, true}) {
            for (const int more : {0, 2, -1}) {
              LengthPrefixOptions options{.width = width,
                                          .order = order,
                                          .offset = offset,
                                          .adjustment = adjustment,
                                          .includes_head = includes_head};
              const int strip = more < 0 ? 0 : offset + width + more;
              if (strip > 16) continue;
              options.strip = static_cast<uint8_t>(strip);
              const auto codec = length_prefix(options);
              const EnvelopeMaker maker(*codec);
              for (const size_t bytes : kSizes)
                ASSERT_EQ(made(maker, bytes), asked(*codec, bytes))
                    << int{width} << ' ' << int{offset} << ' ' << strip << ' ' << bytes;
            }
          }
        }
      }
    }
  }
}

TEST(EnvelopeMaker, KnowsFixedOnesAndNone) {
  EXPECT_TRUE(EnvelopeMaker(*bytes()).is_empty());
  EXPECT_TRUE(EnvelopeMaker(*lines()).is_fixed());
  EXPECT_FALSE(EnvelopeMaker(*lines()).is_empty());
  EXPECT_FALSE(EnvelopeMaker(*length_prefix()).is_fixed());
  EXPECT_FALSE(EnvelopeMaker(*varint()).is_fixed());
  EXPECT_EQ(made(EnvelopeMaker(*lines()), 5), "|\n");
  EXPECT_FALSE(EnvelopeMaker(*varint()).knows(300));
  EXPECT_FALSE(EnvelopeMaker().knows(5));
}

class LinesByRecipe final : public support::LinesCodec {
 public:
  explicit LinesByRecipe(const EnvelopeRecipe& recipe) : recipe_(recipe) {}
  bool envelope_recipe(EnvelopeRecipe& into) const override {
    into = recipe_;
    return true;
  }

 private:
  const EnvelopeRecipe recipe_;
};

TEST(EnvelopeMaker, ARecipeMayHaveBytesAroundItsLength) {
  EnvelopeRecipe recipe;
  recipe.around = {.head = {'a', 0, 0, 'b', 'c'}, .tail = {'z'}, .head_bytes = 5, .tail_bytes = 1};
  recipe.length_bytes = 2;
  recipe.length_offset = 1;
  const LinesByRecipe codec(recipe);
  EXPECT_EQ(made(EnvelopeMaker(codec), 0x4142), "aABbc|z");
}

TEST(EnvelopeMaker, ARecipeThatMakesNoSenseIsNotUsed) {
  EnvelopeRecipe good;
  good.around.head_bytes = 4;
  good.length_bytes = 4;
  EnvelopeRecipe overfilled = good, beyond = good, wide = good, filled = good, reversed = good;
  overfilled.around.tail_bytes = 9;
  beyond.length_offset = 1;
  wide.length_bytes = 9;
  filled.around.head[3] = 1;
  reversed.body_bytes_min = 2;
  reversed.body_bytes_max = 1;
  for (const EnvelopeRecipe& bad : {overfilled, beyond, wide, filled, reversed}) {
    const LinesByRecipe codec(bad);
    EXPECT_FALSE(EnvelopeMaker(codec).knows(7)) << "the codec is asked";
  }
}

}  // namespace
}}  // namespace trireme
