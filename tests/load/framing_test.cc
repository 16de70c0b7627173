// Goal: messages are cut as the codec of the server cuts them. Method: a table of codecs.
#include "load/framing.h"

#include <gtest/gtest.h>

#include <string>

namespace load { namespace {

TEST(BenchFraming, MessagesCarryWhatTheirCodecAdds) {
  const struct {
    std::string codec;
    uint64_t message_bytes;
  } all[] = {{"bytes", 300}, {"lines", 301}, {"length-prefix:2", 302}, {"length-prefix:8", 308}};
  for (const auto& each : all) {
    const auto framing = load::parse_framing(each.codec);
    ASSERT_TRUE(framing.ok()) << each.codec;
    EXPECT_EQ(load::name_of(framing.value()), each.codec);
    const Stream stream = make_stream(framing.value(), 300, 1000);
    EXPECT_EQ(stream.message_bytes, each.message_bytes);
    EXPECT_EQ(stream.bytes.size(), stream.period + 1000);
    EXPECT_EQ(stream.bytes.substr(0, 1000), stream.bytes.substr(stream.period));
    for (uint64_t at = 0; each.codec != "bytes" && at < stream.period; at += stream.message_bytes) {
      const std::string message = stream.bytes.substr(at, stream.message_bytes);
      if (each.codec == "lines") {
        ASSERT_EQ(message.find_first_of("\r\n"), 300u);
      } else if (each.codec == "length-prefix:2") {
        ASSERT_EQ(message.substr(0, 2), "\x01\x2c");
      }
    }
  }
}

}  // namespace
}  // namespace load
