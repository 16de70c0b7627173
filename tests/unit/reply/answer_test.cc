// Goal: what an answer is made of is moved, copied or borrowed as answer.h says, so that a handler
// may return a view of its own variables. Method: answers, and handlers that leave dead bytes.
#include "trireme/answer.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <type_traits>

#include "support/knock_layer.h"
#include "trireme/testing/conversation.h"

namespace trireme { inline namespace v0 { namespace {

using testing::Conversation;

TEST(AnswerBytes, AreOwnedBorrowedOrCopied) {
  std::string text = "a text that is longer than a string has in itself";
  const std::string_view view = text;
  const Answer copied(view);
  EXPECT_TRUE(copied.is_owned());
  const Answer borrowed(borrow(view));
  EXPECT_FALSE(borrowed.is_owned());
  EXPECT_EQ(borrowed.text().data(), text.data());
  const Answer of_request{RequestText(view)};
  EXPECT_EQ(of_request.text().data(), text.data());
  const char* pointer = text.c_str();
  EXPECT_TRUE(Answer(pointer).is_owned());
  char* mutable_pointer = text.data();
  EXPECT_TRUE(Answer(mutable_pointer).is_owned());
  char array[60];
  std::strcpy(array, text.c_str());
  EXPECT_TRUE(Answer(array).is_owned());
  EXPECT_EQ(Answer(array).text(), text);
  EXPECT_FALSE(Answer("a literal").is_owned());
  const char* data = text.data();
  const Answer moved(std::move(text));
  EXPECT_EQ(moved.text().data(), data);
}

TEST(AnswerBytes, SharedOnesAreNeitherCopiedNorMoved) {
  const SharedBytes shared(std::string(3'000, 's'));
  Answer answer(shared);
  EXPECT_FALSE(answer.is_owned());
  EXPECT_TRUE(answer.is_shared());
  const Answer kept = std::move(answer).close_after().with_copy();
  EXPECT_EQ(kept.text().data(), shared.view().data());
  EXPECT_TRUE(kept.keeps_bytes());
  EXPECT_FALSE(Answer(shared).with_view("other").is_shared());
  Conversation talk(lines(), [&](const Request&) -> Answer { return shared; });
  EXPECT_EQ(talk.say("x\ny\n"),
            std::string(shared.view()) + "\n" + std::string(shared.view()) + "\n");
  EXPECT_EQ(talk.peer().push(shared), SendResult::kQueued);
  EXPECT_EQ(talk.hear(), std::string(shared.view()) + "\n");
  EXPECT_EQ(SharedBytes().size(), 0u);
}

TEST(AnswerBytes, AViewOfALocalVariableMayBeReturned) {
  Conversation talk(lines(), [](const Request& request) -> Answer {
    const std::string local(request.text().size() * 40, request.text().front());
    if (request.text().size() == 1) return std::string_view(local);
    if (request.text().size() == 2) return std::string_view(local).substr(1);
    return local.c_str();
  });
  EXPECT_EQ(talk.say("a\nbb\nccc\n"), std::string(40, 'a') + "\n" + std::string(79, 'b') + "\n" +
                                          std::string(120, 'c') + "\n");
}

TEST(AnswerBytes, APartOfTheRequestMayBeBorrowed) {
  Conversation talk(
      lines(), [](const Request& request) -> Answer { return borrow(request.text().substr(1)); });
  const std::string large(5'000, 'x');
  EXPECT_EQ(talk.say("abc\n-" + large + "\n"), "bc\n" + large + "\n");
}

// In silence the connection would go on in plain text.
TEST(AnswerParts, ASwitchNeedsWhatItSwitchesTo) {
  EXPECT_DEATH((void)Answer("220").then_layer(nullptr), "then_layer\\(\\) a layer");
  EXPECT_DEATH((void)Answer("220").then(nullptr), "needs a codec");
  EXPECT_DEATH((void)Peer().push(Answer("x").then(lines())), "cannot be pushed");
  EXPECT_DEATH((void)Peer().push(Answer("x").then_layer(std::make_shared<support::KnockFactory>())),
               "cannot be pushed");
}

TEST(AnswerParts, AreTold) {
  const Answer plain("x");
  EXPECT_TRUE(plain.is_plain());
  EXPECT_EQ(plain.next_codec(), nullptr);
  EXPECT_EQ(plain.head(), "");
  const Answer rich = Answer("x").with_head("h").then(lines()).close_after();
  EXPECT_FALSE(rich.is_plain());
  EXPECT_EQ(rich.head(), "h");
  EXPECT_EQ(rich.next_codec(), lines());
  EXPECT_TRUE(rich.closes());
  const Answer failed = error("no\nsuch", 404);
  EXPECT_EQ(failed.kind(), Answer::Kind::kError);
  EXPECT_EQ(failed.failure(), Failure::kHandler);
  EXPECT_EQ(failed.code(), 404u);
  EXPECT_EQ(failed.text(), "no such");
  EXPECT_EQ(busy().failure(), Failure::kBusy);
  static_assert(!std::is_copy_constructible_v<Answer>);
}

}  // namespace
}}  // namespace trireme
