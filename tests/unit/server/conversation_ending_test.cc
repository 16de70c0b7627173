// Goal: every way a connection ends - half-close, close, reset, clocks, drain - at its exact
// moment, for its reason, with nothing owed and nothing said twice. Method: testing::Conversation;
// time moves by advance() only, so that each clock is tried just before and at its end.
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "trireme/testing/conversation.h"

namespace trireme { inline namespace v0 { namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using testing::Conversation;

std::string echo(const Request& request) { return request.own(); }

void expect_books(const Conversation& talk) {
  const Stats stats = talk.stats();
  EXPECT_EQ(stats.slots_made, stats.slots_gone);
  EXPECT_EQ(stats.requests + stats.refused_frames,
            stats.replies + stats.unanswered + stats.replies_dropped);
  EXPECT_EQ(stats.timers_made, stats.timers_gone);
  EXPECT_EQ(stats.live, 0u);
  EXPECT_EQ(stats.closed, 1u);
}

TEST(ConversationEnding, HalfCloseAnswersEverythingThenCloses) {
  Conversation talk(lines(), echo);
  EXPECT_EQ(talk.say("a\nb\nunfinished"), "a\nb\n");
  EXPECT_EQ(talk.end(), "");
  EXPECT_EQ(talk.closed(), CloseReason::kPeerClosed);
  EXPECT_EQ(talk.stats().partial_requests_dropped, 1u);
  expect_books(talk);
}

TEST(ConversationEnding, AfterHalfCloseLaterRepliesStillArrive) {
  std::vector<Reply> replies;
  ListenOptions options;
  options.ordering = Ordering::kPipelined;
  Conversation talk(
      lines(), [&](const Request&, Reply reply) { replies.push_back(std::move(reply)); }, options);
  EXPECT_EQ(talk.say("1\n2\n3\n"), "");
  EXPECT_EQ(talk.end(), "");
  EXPECT_FALSE(talk.closed());
  std::move(replies[1]).send("two");
  std::move(replies[0]).send("one");
  EXPECT_EQ(talk.hear(), "one\ntwo\n");
  EXPECT_FALSE(talk.closed());
  std::move(replies[2]).send("three");
  EXPECT_EQ(talk.hear(), "three\n");
  EXPECT_EQ(talk.closed(), CloseReason::kPeerClosed);
  expect_books(talk);
}

TEST(ConversationEnding, AfterHalfCloseQueuedSerialRequestsAreAnswered) {
  std::optional<Reply> kept;
  Conversation talk(lines(), [&](const Request&, Reply reply) { kept.emplace(std::move(reply)); });
  EXPECT_EQ(talk.say("1\n2\n3\n"), "");
  EXPECT_EQ(talk.end(), "");
  std::string heard;
  for (int i = 1; i <= 3; ++i) {
    EXPECT_FALSE(talk.closed());
    std::move(*kept).send(std::to_string(i));
    heard += talk.hear();
  }
  EXPECT_EQ(heard, "1\n2\n3\n");
  EXPECT_EQ(talk.closed(), CloseReason::kPeerClosed);
  expect_books(talk);
}

TEST(ConversationEnding, AnEmptyConversationEnds) {
  Conversation talk(lines(), echo);
  EXPECT_EQ(talk.end(), "");
  EXPECT_EQ(talk.closed(), CloseReason::kPeerClosed);
  EXPECT_EQ(talk.stats().partial_requests_dropped, 0u);
  expect_books(talk);
}

TEST(ConversationEnding, ResetDropsWhatIsOwedAndTellsTheHandler) {
  std::vector<Reply> replies;
  Conversation talk(lines(),
                    [&](const Request&, Reply reply) { replies.push_back(std::move(reply)); });
  EXPECT_EQ(talk.say("a\nb\n"), "");
  const Peer peer = replies[0].peer();
  EXPECT_TRUE(peer.connected());
  talk.reset();
  EXPECT_EQ(talk.closed(), CloseReason::kReset);
  EXPECT_FALSE(peer.connected());
  EXPECT_EQ(peer.address(), "");
  EXPECT_EQ(peer.send("x"), SendResult::kClosed);
  std::move(replies[0]).send("too late");
  EXPECT_EQ(talk.hear(), "");
  EXPECT_EQ(replies.size(), 1u) << "b was never started";
  EXPECT_EQ(talk.stats().replies_dropped, 1u);
  EXPECT_GE(talk.stats().stale_ids, 2u);
  expect_books(talk);
}

TEST(ConversationEnding, PeerCloseSendsWhatIsQueuedAndLingersUntilTheClientEnds) {
  Conversation talk(lines(), [](const Request& request) -> Answer {
    if (request.text() == "quit") request.peer().close();
    return Answer(request.text());
  });
  EXPECT_EQ(talk.say("a\nquit\n"), "a\nquit\n");
  EXPECT_FALSE(talk.closed());
  EXPECT_EQ(talk.say("ignored\n"), "");
  EXPECT_EQ(talk.end(), "");
  EXPECT_EQ(talk.closed(), CloseReason::kClosedByHandler);
  expect_books(talk);
}

TEST(ConversationEnding, LingerEndsAtItsGraceOfTime) {
  Conversation talk(lines(), [](const Request&) -> Answer { return Answer("bye").close_after(); });
  EXPECT_EQ(talk.say("x\n"), "bye\n");
  EXPECT_EQ(talk.advance(seconds(2) - milliseconds(1)), "");
  EXPECT_FALSE(talk.closed());
  EXPECT_EQ(talk.advance(milliseconds(1)), "");
  EXPECT_EQ(talk.closed(), CloseReason::kClosedByHandler);
  expect_books(talk);
}

TEST(ConversationEnding, LingerEndsAtItsGraceOfBytes) {
  Conversation talk(lines(), [](const Request&) -> Answer { return Answer("bye").close_after(); });
  EXPECT_EQ(talk.say("x\n"), "bye\n");
  EXPECT_EQ(talk.say(std::string(1 << 20, 'x')), "");
  EXPECT_FALSE(talk.closed());
  EXPECT_EQ(talk.say("x"), "");
  EXPECT_EQ(talk.closed(), CloseReason::kClosedByHandler);
}

TEST(ConversationEnding, TheIdleClockIsExact) {
  ListenOptions options;
  options.limits.idle_time_max = minutes(10);
  Conversation talk(lines(), echo, options);
  EXPECT_EQ(talk.say("first\n"), "first\n");
  EXPECT_EQ(talk.advance(minutes(9)), "");
  EXPECT_EQ(talk.say("a\n"), "a\n");  // starts it anew
  EXPECT_EQ(talk.advance(minutes(10) - milliseconds(1)), "");
  EXPECT_FALSE(talk.closed());
  EXPECT_EQ(talk.say("b\n"), "b\n");
  EXPECT_EQ(talk.advance(minutes(10)), "");
  EXPECT_EQ(talk.say("c\n"), "") << "it has ended: nothing more is read";
  talk.end();
  EXPECT_EQ(talk.closed(), CloseReason::kIdleTimeout);
  expect_books(talk);
}

TEST(ConversationEnding, AnIdleClientThatNeverAnswersIsGoneAfterTheGrace) {
  Conversation talk(lines(), echo);
  EXPECT_EQ(talk.say("a\n"), "a\n");
  EXPECT_EQ(talk.advance(minutes(10)), "");
  EXPECT_FALSE(talk.closed());
  EXPECT_EQ(talk.advance(seconds(2)), "");
  EXPECT_EQ(talk.closed(), CloseReason::kIdleTimeout);
  expect_books(talk);
}

TEST(ConversationEnding, TheFirstByteHasAClockOfItsOwn) {
  Conversation silent(lines(), echo), late(lines(), echo), begun(lines(), echo);
  for (Conversation* talk : {&silent, &late, &begun}) talk->advance(seconds(60) - milliseconds(1));
  EXPECT_EQ(late.say("a\n"), "a\n");
  EXPECT_EQ(begun.say("n"), "");  // of a request, whose own clock is the next
  for (Conversation* talk : {&silent, &late, &begun}) talk->advance(milliseconds(1));
  EXPECT_EQ(silent.say("b\n"), "") << "it has ended: nothing more is read";
  EXPECT_EQ(late.say("b\n"), "b\n");
  EXPECT_EQ(begun.say("ow\n"), "now\n");
  late.advance(minutes(10) - milliseconds(1));
  EXPECT_EQ(late.say("c\n"), "c\n") << "from then on it is the idle clock's";
  for (Conversation* talk : {&silent, &late, &begun}) talk->end();
  EXPECT_EQ(silent.closed(), CloseReason::kSilentTimeout);
  EXPECT_EQ(late.closed(), CloseReason::kPeerClosed);
  expect_books(silent);
}

TEST(ConversationEnding, WithoutTheClockOfTheFirstByteThereIsTheIdleClock) {
  ListenOptions off, longer;
  off.limits.first_byte_time_max = {};
  longer.limits.idle_time_max = seconds(50);  // the shorter one ends it
  Conversation talk(lines(), echo, off), idle(lines(), echo, longer);
  idle.advance(seconds(50));
  idle.end();
  EXPECT_EQ(idle.closed(), CloseReason::kIdleTimeout);
  talk.advance(minutes(10) - milliseconds(1));
  EXPECT_EQ(talk.say("a\n"), "a\n");
}

TEST(ConversationEnding, ARequestAtWorkIsNotIdle) {
  std::optional<Reply> kept;
  Conversation talk(lines(), [&](const Request&, Reply reply) { kept.emplace(std::move(reply)); });
  EXPECT_EQ(talk.say("slow\n"), "");
  EXPECT_EQ(talk.advance(hours(5)), "");
  EXPECT_FALSE(talk.closed());
  std::move(*kept).send("at last");
  EXPECT_EQ(talk.hear(), "at last\n");
  EXPECT_EQ(talk.advance(minutes(10) - milliseconds(1)), "");
  EXPECT_FALSE(talk.closed());
}

TEST(ConversationEnding, TheRequestClockRunsFromTheFirstByteHoweverItDrips) {
  Conversation talk(lines(), echo);
  EXPECT_EQ(talk.say("whole\npa"), "whole\n");
  for (int i = 0; i < 29; ++i) {
    EXPECT_EQ(talk.advance(seconds(1)), "");
    EXPECT_EQ(talk.say("x"), "");
  }
  EXPECT_EQ(talk.advance(seconds(1) - milliseconds(1)), "");
  EXPECT_FALSE(talk.closed());
  EXPECT_EQ(talk.advance(milliseconds(1)), "");
  EXPECT_EQ(talk.closed(), CloseReason::kRequestTimeout);
  EXPECT_EQ(talk.stats().partial_requests_dropped, 1u);
  expect_books(talk);
}

TEST(ConversationEnding, ARequestThatBecameWholeStopsItsClock) {
  Conversation talk(lines(), echo);
  EXPECT_EQ(talk.say("par"), "");
  EXPECT_EQ(talk.advance(seconds(29)), "");
  EXPECT_EQ(talk.say("t\nnext"), "part\n");
  EXPECT_EQ(talk.advance(seconds(29)), "");
  EXPECT_FALSE(talk.closed()) << "each request has its own time";
  EXPECT_EQ(talk.say("\n"), "next\n");
  EXPECT_EQ(talk.advance(minutes(5)), "");
  EXPECT_FALSE(talk.closed());
}

TEST(ConversationEnding, TheHandlerClockAnswersOnceAndDropsTheLateAnswer) {
  std::vector<Reply> replies;
  ListenOptions options;
  options.handler_time_max = seconds(3);
  Conversation talk(
      lines(), [&](const Request&, Reply reply) { replies.push_back(std::move(reply)); }, options);
  EXPECT_EQ(talk.say("1\n2\n"), "");
  EXPECT_EQ(talk.advance(seconds(3) - milliseconds(1)), "");
  EXPECT_EQ(talk.advance(milliseconds(1)), "ERR deadline exceeded\n");
  EXPECT_EQ(replies.size(), 2u) << "the connection goes on";
  std::move(replies[0]).send("too late");
  EXPECT_EQ(talk.hear(), "");
  std::move(replies[1]).send("in time");
  EXPECT_EQ(talk.hear(), "in time\n");
  EXPECT_EQ(talk.stats().handler_deadlines, 1u);
  EXPECT_EQ(talk.end(), "");
  EXPECT_EQ(talk.closed(), CloseReason::kPeerClosed);
  expect_books(talk);
}

TEST(ConversationEnding, PipelinedHandlerClocksRunEachForItself) {
  std::vector<Reply> replies;
  ListenOptions options;
  options.ordering = Ordering::kPipelined;
  options.handler_time_max = seconds(3);
  Conversation talk(
      lines(), [&](const Request&, Reply reply) { replies.push_back(std::move(reply)); }, options);
  EXPECT_EQ(talk.say("1\n"), "");
  EXPECT_EQ(talk.advance(seconds(1)), "");
  EXPECT_EQ(talk.say("2\n3\n"), "");
  std::move(replies[2]).send("three");
  EXPECT_EQ(talk.advance(seconds(2)), "ERR deadline exceeded\n");
  EXPECT_EQ(talk.advance(seconds(1) - milliseconds(1)), "");
  EXPECT_EQ(talk.advance(milliseconds(1)), "ERR deadline exceeded\nthree\n");
}

// The timer may be armed for the clock of a request that took longer than the idle clock allows.
TEST(ConversationEnding, TheIdleClockIsExactBehindASlowRequest) {
  ListenOptions options;
  options.limits.idle_time_max = seconds(5);
  options.limits.request_time_max = seconds(30);
  options.limits.frame_bytes_max = 4;
  Conversation talk(lines(), echo, options);
  EXPECT_EQ(talk.say("a line too long, of which no byte is kept"), "ERR the line is too long\n");
  EXPECT_EQ(talk.advance(seconds(6)), "");
  EXPECT_EQ(talk.say("\na\n"), "a\n");
  talk.advance(seconds(5) - milliseconds(1));
  EXPECT_EQ(talk.say("b\n"), "b\n");
  talk.advance(seconds(5));
  EXPECT_EQ(talk.say("c\n"), "");
  talk.end();
  EXPECT_EQ(talk.closed(), CloseReason::kIdleTimeout);
}

TEST(ConversationEnding, ClocksThatAreOffOrEndlessNeverFire) {
  for (const nanoseconds time : {nanoseconds(0), nanoseconds::max()}) {
    ListenOptions options;
    options.limits.idle_time_max = options.limits.request_time_max = time;
    options.limits.write_time_max = options.handler_time_max = time;
    Conversation talk(lines(), echo, options);
    EXPECT_EQ(talk.say("a\npart"), "a\n");
    EXPECT_EQ(talk.advance(hours(24 * 365)), "");
    EXPECT_FALSE(talk.closed());
    EXPECT_EQ(talk.say("\n"), "part\n");
  }
}

TEST(ConversationEnding, DrainAnswersWhatHasArrivedAndSaysFarewellOnce) {
  std::optional<Reply> kept;
  Conversation talk(lines(), [&](const Request&, Reply reply) { kept.emplace(std::move(reply)); });
  EXPECT_EQ(talk.say("1\n2\n"), "");
  EXPECT_EQ(talk.drain(), "");
  EXPECT_EQ(talk.say("not before the drain\n"), "");
  std::move(*kept).send("one");
  EXPECT_EQ(talk.hear(), "one\n");
  std::move(*kept).send("two");
  EXPECT_EQ(talk.hear(), "two\n");
  EXPECT_EQ(talk.drain(), "");  // a second one changes nothing
  EXPECT_EQ(talk.stats().requests, 2u);
  EXPECT_EQ(talk.end(), "");
  EXPECT_EQ(talk.closed(), CloseReason::kDrained);
  expect_books(talk);
}

TEST(ConversationEnding, DrainOfAnIdleConnection) {
  Conversation talk(lines(), echo);
  EXPECT_EQ(talk.drain(), "");
  EXPECT_EQ(talk.say("late\n"), "");
  EXPECT_FALSE(talk.closed());
  EXPECT_EQ(talk.advance(seconds(2)), "");
  EXPECT_EQ(talk.closed(), CloseReason::kDrained);
  expect_books(talk);
}

TEST(ConversationEnding, DrainDropsThePartOfARequest) {
  Conversation talk(lines(), echo);
  EXPECT_EQ(talk.say("whole\nhal"), "whole\n");
  EXPECT_EQ(talk.drain(), "");
  EXPECT_EQ(talk.end(), "");
  EXPECT_EQ(talk.closed(), CloseReason::kDrained);
  EXPECT_EQ(talk.stats().partial_requests_dropped, 1u);
}

TEST(ConversationEnding, DestroyedWithRequestsAtWorkItsRepliesAreHarmless) {
  std::vector<Reply> replies;
  Peer peer;
  {
    Conversation talk(lines(), [&](const Request& request, Reply reply) {
      peer = request.peer();
      replies.push_back(std::move(reply));
    });
    EXPECT_EQ(talk.say("1\n2\n"), "");
    EXPECT_TRUE(peer.connected());
  }
  EXPECT_FALSE(peer.connected());
  EXPECT_EQ(peer.send("x"), SendResult::kClosed);
  peer.close();
  std::move(replies[0]).send("nobody hears it");
}

}  // namespace
}}  // namespace trireme
