// Goal: a session is made once, served in order, told of its drain and its end once; pushes keep
// their place. Method: testing::Conversation with session classes that write a diary.
#include <gtest/gtest.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "trireme/testing/conversation.h"

namespace trireme { inline namespace v0 { namespace {

using testing::Conversation;

struct Diary {
  std::vector<std::string> lines;
  std::string joined() const {
    std::string all;
    for (const std::string& line : lines) all += (all.empty() ? "" : " ") + line;
    return all;
  }
};

class Counting {
 public:
  Counting(Peer peer, Diary& diary) : peer_(std::move(peer)), diary_(diary) {
    diary_.lines.push_back("open");
  }
  ~Counting() { diary_.lines.push_back("destroyed"); }

  Answer on_request(const Request& request) {
    diary_.lines.push_back(request.own());
    if (request.text() == "throw") throw std::runtime_error("x");
    if (request.text() == "quit") peer_.close();
    return std::to_string(++count_);
  }
  void on_drain() {
    diary_.lines.push_back("drain");
    peer_.send("last news\n");
  }
  void on_close(CloseReason reason) {
    diary_.lines.push_back("close:" + std::string(to_string(reason)));
  }

 private:
  Peer peer_;
  Diary& diary_;
  int count_ = 0;
};

TEST(ConversationSession, LivesFromOpenToOneClose) {
  Diary diary;
  {
    auto talk = Conversation::with<Counting>(lines(), {}, diary);
    EXPECT_EQ(diary.joined(), "open");
    EXPECT_EQ(talk->say("a\nthrow\nb\n"), "1\nERR internal\n2\n");
    EXPECT_EQ(talk->end(), "");
    EXPECT_EQ(diary.joined(), "open a throw b close:peer closed destroyed");
    EXPECT_EQ(talk->closed(), CloseReason::kPeerClosed);
    EXPECT_EQ(talk->stats().slots_gone, 1u);
  }
  EXPECT_EQ(diary.lines.size(), 6u);
}

TEST(ConversationSession, IsToldOfAReset) {
  Diary diary;
  auto talk = Conversation::with<Counting>(lines(), {}, diary);
  talk->reset();
  EXPECT_EQ(diary.joined(), "open close:reset destroyed");
}

TEST(ConversationSession, IsToldOfADrainOnceAndMaySaySomething) {
  Diary diary;
  auto talk = Conversation::with<Counting>(lines(), {}, diary);
  EXPECT_EQ(talk->say("a\n"), "1\n");
  EXPECT_EQ(talk->drain(), "last news\n");
  EXPECT_EQ(talk->drain(), "");
  EXPECT_EQ(talk->end(), "");
  EXPECT_EQ(diary.joined(), "open a drain close:drained destroyed");
}

TEST(ConversationSession, ClosesItself) {
  Diary diary;
  auto talk = Conversation::with<Counting>(lines(), {}, diary);
  EXPECT_EQ(talk->say("quit\n"), "1\n");
  EXPECT_EQ(talk->end(), "");
  EXPECT_EQ(diary.joined(), "open quit close:closed by handler destroyed");
}

TEST(ConversationSession, DiesWithTheConversation) {
  Diary diary;
  { auto talk = Conversation::with<Counting>(lines(), {}, diary); }
  EXPECT_EQ(diary.lines.front(), "open");
  EXPECT_EQ(diary.lines.back(), "destroyed");
  EXPECT_EQ(std::count(diary.lines.begin(), diary.lines.end(), "destroyed"), 1);
  EXPECT_EQ(diary.lines[diary.lines.size() - 2].substr(0, 6), "close:");
}

struct RefusingSession {
  explicit RefusingSession(Diary& diary) {
    diary.lines.push_back("open");
    throw std::runtime_error("no");
  }
  Answer on_request(const Request&) { return "never"; }
  void on_drain() { std::abort(); }
  void on_close(CloseReason) { std::abort(); }
};

TEST(ConversationSession, AConstructorThatThrowsEndsTheConnection) {
  Diary diary;
  auto talk = Conversation::with<RefusingSession>(lines(), {}, diary);
  EXPECT_EQ(talk->say("a\n"), "");
  EXPECT_EQ(talk->drain(), "");
  EXPECT_EQ(talk->end(), "");
  EXPECT_EQ(talk->closed(), CloseReason::kClosedByHandler);
  EXPECT_EQ(diary.joined(), "open");
  EXPECT_EQ(talk->stats().handler_exceptions, 1u);
  EXPECT_EQ(talk->stats().slots_gone, 1u);
}

// A session that keeps its replies, and sees what ran before.
class Later {
 public:
  explicit Later(std::vector<Reply>& replies) : replies_(replies) {}
  void on_request(const Request&, Reply reply) { replies_.push_back(std::move(reply)); }

 private:
  std::vector<Reply>& replies_;
};

TEST(ConversationSession, SerialWaitsForTheReplyNotForTheReturn) {
  std::vector<Reply> replies;
  auto talk = Conversation::with<Later>(lines(), {}, replies);
  EXPECT_EQ(talk->say("1\n2\n"), "");
  EXPECT_EQ(replies.size(), 1u);
  std::move(replies[0]).send("one");
  EXPECT_EQ(talk->hear(), "one\n");
  EXPECT_EQ(replies.size(), 2u);
}

struct Silent {
  static int living;
  Silent() { ++living; }
  ~Silent() { --living; }
};
int Silent::living = 0;

TEST(ConversationSession, ASessionWithoutAnyFunctionAnswersNothing) {
  {
    auto talk = Conversation::with<Silent>(lines(), {});
    EXPECT_EQ(talk->say("a\nb\n"), "");
    EXPECT_EQ(talk->stats().unanswered, 2u);
    EXPECT_EQ(Silent::living, 1);
  }
  EXPECT_EQ(Silent::living, 0);
}

struct FailingAtTheEnd {
  Answer on_request(const Request&) { return "ok"; }
  void on_drain() { throw 1; }
  void on_close(CloseReason) { throw 2; }
};

TEST(ConversationSession, ExceptionsInCallbacksAreCounted) {
  auto talk = Conversation::with<FailingAtTheEnd>(lines(), {});
  EXPECT_EQ(talk->drain(), "");
  EXPECT_EQ(talk->end(), "");
  EXPECT_EQ(talk->closed(), CloseReason::kDrained);
  EXPECT_EQ(talk->stats().handler_exceptions, 2u);
  EXPECT_EQ(talk->stats().slots_gone, 1u);
}

struct Greeting {
  explicit Greeting(Peer peer) { peer.send("welcome\n"); }
  Answer on_request(const Request& request) { return request.own(); }
};

TEST(ConversationSession, AConstructorMayGreet) {
  auto talk = Conversation::with<Greeting>(lines(), {});
  EXPECT_EQ(talk->hear(), "welcome\n");
  EXPECT_EQ(talk->say("a\n"), "a\n");
}

TEST(ConversationPush, PushesOfAHandlerLeaveBeforeItsReply) {
  Conversation talk(lines(), [](const Request& request) {
    EXPECT_EQ(request.peer().send("push 1 of " + request.own() + "\n"), SendResult::kQueued);
    EXPECT_EQ(request.peer().send("push 2 of " + request.own() + "\n"), SendResult::kQueued);
    return "reply to " + request.own();
  });
  EXPECT_EQ(talk.say("a\nb\n"),
            "push 1 of a\npush 2 of a\nreply to a\npush 1 of b\npush 2 of b\nreply to b\n");
}

TEST(ConversationPush, ComesWithoutARequestFromAnyThread) {
  Peer peer;
  Conversation talk(lines(), [&](const Request& request) {
    peer = request.peer();
    return "ok";
  });
  EXPECT_EQ(talk.say("a\n"), "ok\n");
  EXPECT_EQ(peer.send("news\n"), SendResult::kQueued);
  EXPECT_EQ(talk.hear(), "news\n");
  std::thread other([&] { EXPECT_EQ(peer.send("more news\n"), SendResult::kQueued); });
  other.join();
  EXPECT_EQ(talk.hear(), "more news\n");
  EXPECT_EQ(peer.send(""), SendResult::kQueued);
  EXPECT_EQ(talk.hear(), "");
  for (const Overflow overflow : {Overflow::kReject, Overflow::kClose, Overflow::kLatest}) {
    EXPECT_EQ(peer.send("x", overflow), SendResult::kQueued);
    EXPECT_EQ(talk.hear(), "x");
  }
}

TEST(ConversationPush, LargePushesAndRepliesKeepTheirOrder) {
  const std::string large(100'000, 'p'), body(50'000, 'r');
  Conversation talk(lines(), [&](const Request& request) {
    request.peer().send(large);
    request.peer().send("small");
    return body;
  });
  EXPECT_EQ(talk.say("a\nb\n"), large + "small" + body + "\n" + large + "small" + body + "\n");
}

TEST(ConversationPush, IsFullOnceTooMuchIsOnItsWay) {
  ListenOptions options;
  options.limits.write_bytes_high = 100;
  options.limits.write_bytes_low = 10;
  SendResult last{};
  Conversation talk(
      lines(),
      [&](const Request& request) {
        request.peer().send(std::string(101, 'x'));
        last = request.peer().send("one more");
        return "ok";
      },
      options);
  EXPECT_EQ(talk.say("a\n"), std::string(101, 'x') + "ok\n");
  EXPECT_EQ(last, SendResult::kFull);
  EXPECT_EQ(talk.say("b\n"), std::string(101, 'x') + "ok\n");  // it has left: there is room again
}

TEST(ConversationPush, CloseFromOutsideEndsInGoodOrder) {
  Peer peer;
  Conversation talk(lines(), [&](const Request& request) {
    peer = request.peer();
    return "ok";
  });
  EXPECT_EQ(talk.say("a\n"), "ok\n");
  peer.send("bye\n");
  peer.close();
  EXPECT_EQ(talk.hear(), "bye\n");
  EXPECT_EQ(talk.end(), "");
  EXPECT_EQ(talk.closed(), CloseReason::kClosedByHandler);
  EXPECT_FALSE(peer.connected());
}

}  // namespace
}}  // namespace trireme
