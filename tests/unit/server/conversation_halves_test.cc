// Goal: the two directions of a connection end apart from each other: on_end, Peer::end, and what
// the end of the client's stream means. Method: testing::Conversation with a session that writes a
// diary.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "trireme/testing/conversation.h"

namespace trireme { inline namespace v0 { namespace {

using testing::Conversation;
using namespace std::chrono_literals;

struct HalfNotes {
  std::string text;
  std::vector<Reply> kept;
  void note(const std::string& line) { text += (text.empty() ? "" : " ") + line; }
  std::string take() { return std::exchange(text, {}); }
};

class Halves {
 public:
  Halves(Peer peer, HalfNotes& notes) : peer_(std::move(peer)), notes_(notes) {}
  void on_request(const Request& request, Reply reply) {
    notes_.note(request.own());
    if (request.text() == "keep") {
      notes_.kept.push_back(std::move(reply));
      return;
    }
    if (request.text() == "end") peer_.end();
    if (request.text() == "quit") {
      std::move(reply).send(Answer("bye").close_after());
      return;
    }
    std::move(reply).send(request.own());
  }
  void on_end() {
    notes_.note("[end]");
    peer_.send("heard your end\n");
  }
  void on_close(CloseReason reason) { notes_.note("[" + std::string(to_string(reason)) + "]"); }

 private:
  Peer peer_;
  HalfNotes& notes_;
};

class ConversationHalves : public ::testing::Test {
 protected:
  void talk(HalfClose how) {
    talk_ = Conversation::with<Halves>(lines(), {.half_close = how}, notes_);
  }
  HalfNotes notes_;
  std::unique_ptr<Conversation> talk_;
};

TEST_F(ConversationHalves, FinishAnswersThenEnds) {
  talk(HalfClose::kFinish);
  EXPECT_EQ(talk_->say("a\nkeep\nb\n"), "a\n");
  EXPECT_EQ(talk_->end(), "");
  EXPECT_EQ(notes_.take(), "a keep");
  std::move(notes_.kept.back()).send("kept");
  EXPECT_EQ(talk_->hear(), "kept\nb\nheard your end\n");
  EXPECT_EQ(notes_.take(), "b [end] [peer closed]");
}

TEST_F(ConversationHalves, OnEndComesBehindTheLastRequestAndBesideADueReply) {
  talk(HalfClose::kFinish);
  EXPECT_EQ(talk_->say("a\nkeep\n"), "a\n");
  EXPECT_EQ(talk_->end(), "heard your end\n");
  EXPECT_EQ(notes_.take(), "a keep [end]");
  EXPECT_FALSE(talk_->ended());
  std::move(notes_.kept.back()).send("kept");
  EXPECT_EQ(talk_->hear(), "kept\n");
  EXPECT_TRUE(talk_->ended());
}

TEST_F(ConversationHalves, GoneClosesAtOnceAndDropsWhatIsDue) {
  talk(HalfClose::kGone);
  EXPECT_EQ(talk_->say("a\nkeep\nb\n"), "a\n");
  EXPECT_FALSE(notes_.kept.back().cancelled().stop_requested());
  EXPECT_EQ(talk_->end(), "");
  EXPECT_EQ(notes_.take(), "a keep [peer closed]");
  EXPECT_EQ(talk_->closed(), CloseReason::kPeerClosed);
  EXPECT_EQ(notes_.kept.back().cancelled().reason(), CancelReason::kPeerGone);
  std::move(notes_.kept.back()).send("in vain");
  EXPECT_EQ(talk_->hear(), "");
}

TEST_F(ConversationHalves, StayGoesOnUntilTheServerEnds) {
  talk(HalfClose::kStay);
  EXPECT_EQ(talk_->say("a\n"), "a\n");
  EXPECT_EQ(talk_->end(), "heard your end\n");
  talk_->peer().send("news\n");
  EXPECT_EQ(talk_->hear(), "news\n");
  EXPECT_EQ(talk_->advance(1min), "");
  EXPECT_FALSE(talk_->ended());
  talk_->peer().end();
  EXPECT_EQ(talk_->hear(), "");
  EXPECT_TRUE(talk_->ended());
  EXPECT_EQ(talk_->closed(), CloseReason::kPeerClosed);
  EXPECT_EQ(notes_.take(), "a [end] [peer closed]");
}

TEST_F(ConversationHalves, StayEndsWithTheIdleClockAndTheDrain) {
  talk(HalfClose::kStay);
  talk_->end();
  talk_->advance(11min);
  EXPECT_EQ(talk_->closed(), CloseReason::kIdleTimeout);
  talk(HalfClose::kStay);
  talk_->say("a\n");
  talk_->end();
  EXPECT_EQ(talk_->drain(), "");
  EXPECT_EQ(talk_->closed(), CloseReason::kPeerClosed);
}

TEST_F(ConversationHalves, EndIsBehindWhatIsQueuedAndReadingGoesOn) {
  talk(HalfClose::kFinish);
  talk_->peer().send("last\n");
  talk_->peer().end();
  talk_->peer().send("too late\n");
  EXPECT_EQ(talk_->hear(), "last\n");
  EXPECT_TRUE(talk_->ended());
  EXPECT_EQ(talk_->closed(), std::nullopt);
  EXPECT_EQ(talk_->say("a\nb\n"), "");
  EXPECT_EQ(notes_.take(), "a b");
  EXPECT_EQ(talk_->stats().replies_dropped, 2U);
  EXPECT_EQ(talk_->end(), "");
  EXPECT_EQ(notes_.take(), "[end] [peer closed]");
}

TEST_F(ConversationHalves, EndInAHandlerIsBehindItsReply) {
  talk(HalfClose::kFinish);
  EXPECT_EQ(talk_->say("a\nend\nb\n"), "a\nend\n");
  EXPECT_TRUE(talk_->ended());
  EXPECT_EQ(notes_.take(), "a end b");
}

TEST_F(ConversationHalves, EndWaitsForAReplyThatIsDue) {
  talk(HalfClose::kFinish);
  EXPECT_EQ(talk_->say("keep\n"), "");
  talk_->peer().end();
  EXPECT_EQ(talk_->hear(), "");
  EXPECT_FALSE(talk_->ended());
  std::move(notes_.kept.back()).send("kept");
  EXPECT_EQ(talk_->hear(), "kept\n");
  EXPECT_TRUE(talk_->ended());
}

TEST_F(ConversationHalves, AnAnswerThatClosesStillClosesBehindTheEnd) {
  talk(HalfClose::kFinish);
  talk_->peer().end();
  EXPECT_EQ(talk_->say("quit\n"), "");
  talk_->end();
  EXPECT_EQ(talk_->closed(), CloseReason::kClosedByHandler);
}

TEST_F(ConversationHalves, ADrainBehindTheEndSaysNothingMore) {
  talk(HalfClose::kFinish);
  talk_->peer().end();
  talk_->hear();
  EXPECT_EQ(talk_->drain(), "");
  EXPECT_EQ(talk_->advance(3s), "");
  EXPECT_EQ(talk_->closed(), CloseReason::kDrained);
}

TEST_F(ConversationHalves, EndTwiceAndBesideCloseIsEndOnce) {
  talk(HalfClose::kFinish);
  talk_->peer().end();
  talk_->peer().end();
  talk_->peer().close();
  talk_->hear();
  EXPECT_TRUE(talk_->ended());
  talk_->end();
  EXPECT_EQ(talk_->closed(), CloseReason::kClosedByHandler);
}

struct SilentHalf {
  explicit SilentHalf(HalfNotes&) {}
  Answer on_request(const Request& request) { return request.own(); }
};

TEST(PushIsActivity, IsTheDefault) {
  HalfNotes notes;
  const Limits limits{.idle_time_max = 10s, .first_byte_time_max = 10s};
  auto talk = Conversation::with<SilentHalf>(lines(), {.limits = limits}, notes);
  for (int i = 0; i < 5; ++i) {
    talk->advance(8s);
    talk->peer().send("news\n");
    EXPECT_EQ(talk->hear(), "news\n");
  }
  talk->advance(20s);
  EXPECT_EQ(talk->closed(), CloseReason::kIdleTimeout);
}

TEST(PushIsActivity, MayBeSwitchedOffSoThatTheClientMustSpeak) {
  HalfNotes notes;
  const Limits limits{.idle_time_max = 10s, .first_byte_time_max = 10s, .push_is_activity = false};
  auto talk = Conversation::with<SilentHalf>(lines(), {.limits = limits}, notes);
  EXPECT_EQ(talk->say("a\n"), "a\n");
  for (int i = 0; i < 2; ++i) {
    talk->advance(4s);
    talk->peer().send("news\n");
    talk->hear();
  }
  EXPECT_EQ(talk->say("b\n"), "b\n");  // it has spoken
  talk->advance(9s);
  EXPECT_EQ(talk->closed(), std::nullopt);
  talk->peer().send("news\n");
  talk->hear();
  talk->advance(4s);
  EXPECT_EQ(talk->closed(), CloseReason::kIdleTimeout);
}

TEST(PushIsActivity, AReplyCountsInAnyCase) {
  HalfNotes notes;
  const Limits limits{.idle_time_max = 10s, .push_is_activity = false};
  auto talk = Conversation::with<Halves>(lines(), {.limits = limits}, notes);
  talk->say("keep\n");
  talk->advance(30s);
  std::move(notes.kept.back()).send("kept");
  EXPECT_EQ(talk->hear(), "kept\n");
  talk->advance(9s);
  EXPECT_EQ(talk->closed(), std::nullopt);
}

}}}  // namespace trireme
