// Goal: what is written is valid JSON, whatever the values are. Method: tables.
#include "load/json.h"

#include <gtest/gtest.h>

#include <limits>
#include <string_view>

namespace load { namespace {

TEST(BenchJson, TextsAreValidUtf8) {
  EXPECT_EQ(load::json_string("a\"b\\c"), "\"a\\\"b\\\\c\"");
  EXPECT_EQ(load::json_string(std::string_view("\0\n\x1f", 3)), "\"\\u0000\\u000a\\u001f\"");
  EXPECT_EQ(load::json_string("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x9a\xa2"),
            "\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x9a\xa2\"");
  for (const char* wrong : {"\xff", "\x80", "\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf5\x80\x80\x80",
                            "\xe0\x80\x80", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80"}) {
    EXPECT_EQ(load::json_string(wrong).find("\"\\ufffd"), 0u) << load::json_string(wrong);
  }
}

TEST(BenchJson, NumbersAreFinite) {
  EXPECT_EQ(load::json_number(0.1), "0.1");
  EXPECT_EQ(load::json_number(1e300), "1e+300");
  EXPECT_EQ(load::json_number(std::numeric_limits<double>::infinity()), "null");
  EXPECT_EQ(load::json_number(std::numeric_limits<double>::quiet_NaN()), "null");
}

}  // namespace
}  // namespace load
