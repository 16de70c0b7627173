// Goal: what a session is called for besides its requests - timers, functions of others - comes in
// its turn, once, in order, and never when its connection is gone. Method: testing::Conversation
// with a session that writes a diary; the test moves the time.
#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "trireme/blocking.h"
#include "trireme/testing/conversation.h"
#include "trireme/testing/table.h"

namespace trireme { inline namespace v0 { namespace {

using testing::Conversation;
using testing::Table;
using namespace std::chrono_literals;

struct EventDiary {
  std::string text;
  void note(const std::string& line) { text += (text.empty() ? "" : " ") + line; }
  std::string take() { return std::exchange(text, {}); }
};

// Requests: "after TAG MS", "cancel TAG", "keep" (its Reply), anything else is echoed.
class Timed {
 public:
  Timed(Peer peer, EventDiary& diary) : peer_(std::move(peer)), diary_(diary) {}

  void on_request(const Request& request, Reply reply) {
    const std::string text = request.own();
    if (text == "keep") {
      kept_.push_back(std::move(reply));
      return;
    }
    uint64_t tag = 0;
    int64_t time_ms = 0;
    CallResult result = CallResult::kQueued;
    if (std::sscanf(text.c_str(), "after %lu %ld", &tag, &time_ms) == 2)
      result = peer_.after(std::chrono::milliseconds(time_ms), tag);
    if (std::sscanf(text.c_str(), "cancel %lu", &tag) == 1) peer_.cancel(tag);
    if (text == "throw later") repeat_ = -1;
    std::move(reply).send(result == CallResult::kQueued ? text : std::string("full"));
  }
  void on_timer(uint64_t tag) {
    diary_.note("timer" + std::to_string(tag));
    if (!kept_.empty()) {
      std::move(kept_.back()).send("by the timer");
      kept_.pop_back();
    }
    if (repeat_ < 0) throw std::runtime_error("as asked");
    if (repeat_ > 0 && --repeat_ > 0) peer_.after(1s, tag);
  }
  void on_close(CloseReason) { diary_.note("close"); }

  void note(const std::string& line) { diary_.note(line); }
  void repeat(int times) {
    repeat_ = times;
    peer_.after(1s, 1);
  }
  Peer peer() const { return peer_; }

 private:
  Peer peer_;
  EventDiary& diary_;
  std::vector<Reply> kept_;
  int repeat_ = 0;
};

class ConversationEvents : public ::testing::Test {
 protected:
  EventDiary diary_;
  std::unique_ptr<Conversation> talk_ = Conversation::with<Timed>(lines(), {}, diary_);
};

TEST_F(ConversationEvents, ATimerFiresOnceAtItsTime) {
  EXPECT_EQ(talk_->say("after 7 100\n"), "after 7 100\n");
  talk_->advance(99ms);
  EXPECT_EQ(diary_.take(), "");
  talk_->advance(2ms);
  EXPECT_EQ(diary_.take(), "timer7");
  talk_->advance(1min);
  EXPECT_EQ(diary_.take(), "");
}

// std::chrono would make an hour ago of it, in silence.
TEST_F(ConversationEvents, TheLongestTimeOfAnyUnitIsLong) {
  talk_->say("a\n");
  EXPECT_EQ(talk_->peer().after(std::chrono::hours::max(), 7), CallResult::kQueued);
  EXPECT_EQ(talk_->peer().after(std::chrono::milliseconds::max(), 8), CallResult::kQueued);
  EXPECT_EQ(talk_->peer().after(std::chrono::hours::min(), 9), CallResult::kQueued);
  talk_->advance(1min);
  EXPECT_EQ(diary_.take(), "timer9");
}

TEST(ConversationWaits, AsLongAsTheLongestTimeOfAnyUnit) {
  Conversation talk(lines(),
                    [](const Request&) -> Answer {
                      return wait_for(std::chrono::hours::max()) ? "over" : "cancelled";
                    },
                    {.handler_time_max = 1h});
  EXPECT_EQ(talk.say("x\n"), "ERR deadline exceeded\n");
  talk.advance(std::chrono::hours::max());
  EXPECT_TRUE(talk.closed().has_value());  // the idle clock is over
}

TEST_F(ConversationEvents, TimersFireInTheOrderOfTheirTimes) {
  talk_->say("after 1 300\nafter 2 100\nafter 3 200\nafter 4 0\n");
  EXPECT_EQ(diary_.take(), "timer4");
  talk_->advance(1s);
  EXPECT_EQ(diary_.take(), "timer2 timer3 timer1");
}

TEST_F(ConversationEvents, AfterMovesTheTimerOfItsTag) {
  talk_->say("after 1 100\n");
  talk_->advance(90ms);
  talk_->say("after 1 100\n");
  talk_->advance(50ms);
  EXPECT_EQ(diary_.take(), "");
  talk_->advance(51ms);
  EXPECT_EQ(diary_.take(), "timer1");
}

TEST_F(ConversationEvents, CancelHoldsInTheTurnOfTheSession) {
  talk_->say("after 1 100\nafter 2 100\ncancel 1\ncancel 5\n");
  talk_->advance(1s);
  EXPECT_EQ(diary_.take(), "timer2");
}

TEST_F(ConversationEvents, AdvanceStopsAtEachTimerOnTheWay) {
  talk_->peer().call<Timed>([](Timed& self) { self.repeat(5); });
  talk_->advance(4500ms);
  EXPECT_EQ(diary_.take(), "timer1 timer1 timer1 timer1");
  talk_->advance(1h);
  EXPECT_EQ(diary_.take(), "timer1 close");  // it has said nothing; lingering is over, too
  EXPECT_EQ(talk_->closed(), CloseReason::kSilentTimeout);
}

TEST_F(ConversationEvents, ATimerAnswersAKeptReply) {
  EXPECT_EQ(talk_->say("after 1 100\nkeep\nnext\n"), "after 1 100\n");
  EXPECT_EQ(talk_->advance(99ms), "");
  EXPECT_EQ(talk_->advance(2ms), "by the timer\nnext\n");
}

TEST_F(ConversationEvents, TimersGoWithTheConnection) {
  talk_->say("after 1 100\n");
  talk_->reset();
  EXPECT_EQ(diary_.take(), "close");
  talk_->advance(1s);
  EXPECT_EQ(diary_.take(), "");
  EXPECT_EQ(talk_->peer().after(1s, 1), CallResult::kClosed);
  EXPECT_EQ(talk_->stats().timers_made, talk_->stats().timers_gone);
}

TEST_F(ConversationEvents, ATimerThatThrowsIsCountedAndTheConnectionGoesOn) {
  talk_->say("throw later\nafter 1 100\n");
  talk_->advance(1s);
  EXPECT_EQ(diary_.take(), "timer1");
  EXPECT_EQ(talk_->stats().handler_exceptions, 1U);
  EXPECT_EQ(talk_->say("x\n"), "x\n");
}

TEST_F(ConversationEvents, AnExtremeTimeIsNoTimeAtAll) {
  EXPECT_EQ(talk_->peer().after(std::chrono::nanoseconds::max(), 1), CallResult::kQueued);
  EXPECT_EQ(talk_->peer().after(std::chrono::nanoseconds::min(), 2), CallResult::kQueued);
  talk_->hear();
  EXPECT_EQ(diary_.take(), "timer2");
  talk_->advance(1min);
  EXPECT_EQ(diary_.take(), "");
}

TEST(SessionTimersMax, IsToldWhenItIsReached) {
  EventDiary diary;
  auto talk = Conversation::with<Timed>(lines(), {.limits = {.timers_max = 2}}, diary);
  EXPECT_EQ(talk->say("after 1 100\nafter 2 100\nafter 3 100\n"),
            "after 1 100\nafter 2 100\nfull\n");
  EXPECT_EQ(talk->say("cancel 1\nafter 3 50\n"), "cancel 1\nafter 3 50\n");
  talk->advance(1s);
  EXPECT_EQ(diary.take(), "timer3 timer2");
  // All have fired: there is room again.
  EXPECT_EQ(talk->say("after 1 9\nafter 2 9\n"), "after 1 9\nafter 2 9\n");
  talk->reset();
  EXPECT_EQ(diary.take(), "close");
}

TEST_F(ConversationEvents, CallsRunInTheirOrderInTheSession) {
  for (const char* line : {"a", "b", "c"}) {
    EXPECT_EQ(talk_->peer().call<Timed>([line](Timed& self) { self.note(line); }),
              CallResult::kQueued);
  }
  EXPECT_EQ(talk_->peer().post([this] { diary_.note("post"); }), CallResult::kQueued);
  EXPECT_EQ(diary_.take(), "");
  talk_->hear();
  EXPECT_EQ(diary_.take(), "a b c post");
}

TEST_F(ConversationEvents, ACallMovesWhatItOwns) {
  auto owned = std::make_unique<std::string>("owned");
  talk_->peer().call<Timed>(
      [owned = std::move(owned)](Timed& self) mutable { self.note(std::exchange(*owned, {})); });
  talk_->hear();
  EXPECT_EQ(diary_.take(), "owned");
}

TEST_F(ConversationEvents, ACallRunsWhileAReplyIsOutstanding) {
  EXPECT_EQ(talk_->say("keep\n"), "");
  talk_->peer().call<Timed>([](Timed& self) {
    self.note("called");
    self.peer().send("pushed\n");
  });
  EXPECT_EQ(talk_->hear(), "pushed\n");
  EXPECT_EQ(diary_.take(), "called");
}

TEST_F(ConversationEvents, ACallThatCallsItselfHoldsNobodyUp) {
  struct Again {
    int left;
    void operator()(Timed& self) {
      if (--left > 0) self.peer().call<Timed>(*this);
      if (left == 0) self.note("end");
    }
  };
  talk_->peer().call<Timed>(Again{10'000});
  EXPECT_EQ(talk_->say("x\n"), "x\n");
  EXPECT_EQ(diary_.take(), "end");
}

TEST_F(ConversationEvents, RequestsAndCallsTakeTurns) {
  for (int i = 0; i < 3; ++i) {
    talk_->peer().call<Timed>([](Timed& self) {
      self.note("call");
      self.peer().send("+");
    });
  }
  // Requests of one job run together; here each one leaves more behind than a plain answer.
  const std::string heard = talk_->say("after 1 900\nafter 2 900\n");
  EXPECT_EQ(heard, "+++after 1 900\nafter 2 900\n");
}

TEST_F(ConversationEvents, ACallForAnotherClassIsRefused) {
  struct Other {};
  EXPECT_EQ(talk_->peer().call<Other>([](Other&) { std::abort(); }), CallResult::kWrongSession);
  Conversation handler(lines(), [](const Request& request) { return request.own(); });
  EXPECT_EQ(handler.peer().post([] { std::abort(); }), CallResult::kWrongSession);
  EXPECT_EQ(handler.peer().after(1s, 1), CallResult::kWrongSession);
  EXPECT_EQ(Peer().post([] { std::abort(); }), CallResult::kClosed);
  EXPECT_EQ(Peer().after(1s, 1), CallResult::kClosed);
  Peer().cancel(1);
}

TEST(SessionCallsMax, IsToldWhenItIsReached) {
  EventDiary diary;
  auto talk = Conversation::with<Timed>(lines(), {.limits = {.calls_max = 2}}, diary);
  const auto call = [&] { return talk->peer().call<Timed>([](Timed& self) { self.note("c"); }); };
  EXPECT_EQ(call(), CallResult::kQueued);
  EXPECT_EQ(call(), CallResult::kQueued);
  EXPECT_EQ(call(), CallResult::kFull);
  talk->hear();
  EXPECT_EQ(diary.take(), "c c");
  EXPECT_EQ(call(), CallResult::kQueued);
}

// Each counts what it owns; the last one is destroyed with the connection.
struct CountedOwner {
  explicit CountedOwner(int& living) : count(&living) { ++*count; }
  CountedOwner(CountedOwner&& other) noexcept : count(std::exchange(other.count, nullptr)) {}
  CountedOwner(const CountedOwner&) = delete;
  CountedOwner& operator=(const CountedOwner&) = delete;
  ~CountedOwner() {
    if (count != nullptr) --*count;
  }
  int* count;
};

TEST(SessionCalls, OfAConnectionThatIsGoneAreDroppedAndDestroyed) {
  EventDiary diary;
  int living = 0;
  {
    auto talk = Conversation::with<Timed>(lines(), {}, diary);
    const auto held = static_cast<int64_t>(talk->stats().buffer_bytes_now);
    const auto call = [&] {
      return talk->peer().call<Timed>(
          [owned = CountedOwner(living)](Timed& self) { self.note("never"); });
    };
    EXPECT_EQ(call(), CallResult::kQueued);
    EXPECT_EQ(call(), CallResult::kQueued);
    EXPECT_EQ(living, 2);
    EXPECT_GT(static_cast<int64_t>(talk->stats().buffer_bytes_now), held);
    talk->reset();  // both have come, but their turn has not
    EXPECT_EQ(diary.take(), "close");
    EXPECT_EQ(call(), CallResult::kClosed);
    EXPECT_EQ(living, 0);
    EXPECT_EQ(static_cast<int64_t>(talk->stats().buffer_bytes_now), held);
  }
}

struct Timeless {
  explicit Timeless(EventDiary&) {}
  Answer on_request(const Request& request) { return request.own(); }
};

TEST(SessionCalls, AClassWithoutOnTimerHasNoTimers) {
  EventDiary diary;
  auto talk = Conversation::with<Timeless>(lines(), {}, diary);
  EXPECT_EQ(talk->peer().after(1s, 1), CallResult::kWrongSession);
  EXPECT_EQ(talk->peer().call<Timeless>([&](Timeless&) { diary.note("called"); }),
            CallResult::kQueued);
  talk->hear();
  EXPECT_EQ(diary.take(), "called");
}

TEST(SessionCalls, OneMemberCallsIntoAnother) {
  EventDiary diary;
  const auto table = Table::with<Timed>(lines(), {}, diary);
  Conversation& ada = table->join();
  Conversation& bob = table->join();
  ada.peer().call<Timed>([to = bob.peer()](Timed& self) {
    self.note("ada");
    to.call<Timed>([](Timed& other) {
      other.note("bob");
      other.peer().after(1s, 3);
    });
  });
  table->advance(0s);
  EXPECT_EQ(diary.take(), "ada bob");
  table->advance(2s);
  EXPECT_EQ(diary.take(), "timer3");
}

TEST_F(ConversationEvents, ADrainDoesNotWaitForATimer) {
  talk_->say("after 1 60000\n");
  talk_->drain();
  EXPECT_TRUE(talk_->ended());
  talk_->end();
  EXPECT_EQ(diary_.take(), "close");
}

TEST_F(ConversationEvents, InADrainATimerAnswersWhatIsDue) {
  EXPECT_EQ(talk_->say("after 1 100\nkeep\n"), "after 1 100\n");
  EXPECT_EQ(talk_->drain(), "");
  EXPECT_FALSE(talk_->ended());
  EXPECT_EQ(talk_->advance(101ms), "by the timer\n");
  EXPECT_TRUE(talk_->ended());
}

}}}  // namespace trireme
