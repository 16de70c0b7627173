// Goal: requests that a user's decode_requests() has found are believed only where they follow each
// other. Method: hand-made ones around a text.
#include "framing/frame_guard.h"

#include <gtest/gtest.h>

#include <array>
#include <string_view>

namespace trireme { inline namespace v0 { namespace {

constexpr size_t kNoLimit = SIZE_MAX;

DecodedRequest request(std::string_view payload, const char* end) {
  return {.payload = payload, .end = end, .after = {}, .kind = 0};
}

TEST(FollowEachOther, OnesThatDo) {
  const std::string_view text = "ab\n\ncd\nrest";
  const std::array found{request(text.substr(0, 2), text.data() + 3),
                         request({}, text.data() + 4),  // an empty one may be of anywhere
                         request(text.substr(4, 2), text.data() + 7)};
  EXPECT_TRUE(follow_each_other(found, text, kNoLimit));
  EXPECT_TRUE(follow_each_other(found, text, 3));
  EXPECT_FALSE(follow_each_other(found, text, 2));
}

TEST(FollowEachOther, NotBackwardsNorBeyondTheInputWhateverTheLimit) {
  const std::string_view text = "ab\ncd\n", input = text.substr(0, 5);
  for (const size_t limit : {size_t{100}, kNoLimit}) {
    const std::array back{request(text.substr(3, 2), text.data() + 5),
                          request(text.substr(0, 2), text.data() + 3)};
    EXPECT_FALSE(follow_each_other(back, text, limit));
    const std::array beyond{request(text.substr(0, 2), text.data() + 6)};
    EXPECT_FALSE(follow_each_other(beyond, input, limit));
    const std::array nothing{request({}, text.data())};
    EXPECT_FALSE(follow_each_other(nothing, text, limit));
  }
}

}  // namespace
}}  // namespace trireme
