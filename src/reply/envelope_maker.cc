#include "reply/envelope_maker.h"

#include <algorithm>

namespace trireme { inline namespace v0 {
namespace {

// The length lies in the head, where zeros are.
bool makes_sense(const EnvelopeRecipe& recipe) {
  const size_t end = size_t{recipe.length_offset} + recipe.length_bytes;
  if (!is_within_bounds(recipe.around)) return false;
  if (recipe.length_bytes == 0) return true;
  if (recipe.length_bytes > sizeof(uint64_t) || end > recipe.around.head_bytes) return false;
  const auto begin = recipe.around.head.begin();
  return recipe.body_bytes_min <= recipe.body_bytes_max &&
         std::all_of(begin + recipe.length_offset, begin + static_cast<ptrdiff_t>(end),
                     [](char byte) { return byte == 0; });
}

}  // namespace

EnvelopeMaker::EnvelopeMaker(const Codec& codec) noexcept {
  try {
    if (!codec.envelope_recipe(recipe_) || !makes_sense(recipe_)) return;
  } catch (...) {
    return;  // it is asked about each answer, and makes the mistake there
  }
  is_fixed_ = recipe_.length_bytes == 0;
  knows_small_ =
      is_fixed_ || (recipe_.body_bytes_min == 0 && recipe_.body_bytes_max >= kSmallBytes);
  if (is_fixed_) return;
  least_ = recipe_.body_bytes_min;
  span_ = recipe_.body_bytes_max - least_;
  beside_ = static_cast<uint64_t>(recipe_.length_beside);
  if (!recipe_.is_little) shift_ = static_cast<uint8_t>(64 - 8 * recipe_.length_bytes);
  swaps_ = recipe_.is_little != (std::endian::native == std::endian::little);
  const size_t there =
      std::min(sizeof(behind_), recipe_.around.head.size() - recipe_.length_offset);
  std::memcpy(&behind_, recipe_.around.head.data() + recipe_.length_offset, there);
}

}}  // namespace trireme
