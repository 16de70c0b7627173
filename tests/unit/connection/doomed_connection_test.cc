// Goal: behind bytes with which its codec gives up nothing of a connection is decoded, whatever
// still waits for its reply. Method: testing::Conversation, pipelined; a reply that is kept.
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "support/scripted_codec.h"
#include "trireme/testing/conversation.h"

namespace trireme { inline namespace v0 { namespace {

using testing::Conversation;
using Kind = Frame::Kind;

TEST(DoomedConnection, IsDecodedNoFurther) {
  for (const size_t consumed : {size_t{0}, size_t{4}}) {
    int asked = 0;
    const auto decode = [&](DecodeState&, std::string_view input, bool ended, size_t) -> Frame {
      ++asked;
      if (input.starts_with("bad\n")) return {Kind::kFatal, consumed, "no such thing"};
      const size_t end = input.find('\n');
      if (end == std::string_view::npos) return {ended ? Kind::kEnd : Kind::kIncomplete};
      return {Kind::kRequest, end + 1, input.substr(0, end)};
    };
    std::optional<Reply> kept;
    std::vector<std::string> handled;
    Conversation talk(support::scripted({.decode = decode}),
                      [&](const Request& request, Reply reply) {
                        handled.push_back(request.own());
                        if (!kept) kept = std::move(reply);
                      },
                      {.ordering = Ordering::kPipelined});
    EXPECT_EQ(talk.say("first\nbad\nnext\n"), "");
    EXPECT_EQ(asked, 2);
    std::move(*kept).send("done");
    const std::string heard = talk.say("");
    EXPECT_TRUE(heard.starts_with("done")) << heard;
    talk.end();
    EXPECT_EQ(talk.closed(), CloseReason::kProtocolError);
    EXPECT_EQ(handled, std::vector<std::string>{"first"});
  }
}

}  // namespace
}}  // namespace trireme
