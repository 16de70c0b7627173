// Goal: text that somebody else has chosen does not split a reply of lines. Method:
// testing::Conversation.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "support/lines_codec.h"
#include "trireme/testing/conversation.h"

namespace trireme { inline namespace v0 { namespace {

using testing::Conversation;

TEST(ConversationLines, AnErrorIsOneLineWhateverItsSentence) {
  const std::string sentence = "no table 'a\nOK'\r\nnear\r\n";
  Conversation talk(lines(), [&](const Request& request, Reply reply) {
    if (request.text() == "reply") return std::move(reply).send(error(sentence));
    if (request.text() == "line") return std::move(reply).send(one_line(sentence));
    std::move(reply).send("1\nof one");
  });
  EXPECT_EQ(talk.say("reply\nline\nlines\n"),
            "ERR no table 'a OK'  near  \nno table 'a OK'  near  \n1\nof one\n");
  // Every codec is promised that: its error reply may depend on it.
  class Told final : public support::LinesCodec {
   public:
    ErrorReply error_reply(const FailedRequest& failed) const override {
      EXPECT_EQ(failed.sentence.find_first_of("\r\n"), std::string_view::npos) << failed.sentence;
      return {.body = "E"};
    }
    Frame decode(DecodeState& state, std::string_view input, bool ended,
                 size_t frame_bytes_max) const override {
      if (!input.starts_with("refuse\n")) {
        return LinesCodec::decode(state, input, ended, frame_bytes_max);
      }
      return {.kind = Frame::Kind::kRefused, .consumed = 7, .payload = "two\nlines"};
    }
  };
  Conversation other(std::make_shared<Told>(), [](const Request&) { return error("a\nb"); });
  EXPECT_EQ(other.say("x\nrefuse\n"), "E\nE\n");
}

}  // namespace
}}  // namespace trireme
