// Goal: a script means what docs/bench.md says, is refused with the line and the reason where it
// means nothing, and is played alike however the server's bytes are cut. Method: tables; a
// connection without a socket.
#include "load/script.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "load/traffic.h"

namespace load { namespace {

TEST(BenchScript, RefusesWithLineAndReason) {
  const struct {
    std::string text;
    std::string said;
  } wrong[] = {
      {"", "expects nothing"},
      {"# nothing\n\n", "expects nothing"},
      {"send \"a\"", "expects nothing"},
      {"expect \"a\"\nfetch \"a\"", "line 2: there is no step \"fetch\""},
      {"expect a", "line 1: expected a text in double quotes"},
      {"expect \"a", "line 1: the text has no closing quote"},
      {"expect \"\"", "line 1: the text is empty"},
      {"expect \"a\" \"b\"", "line 1: too much behind expect"},
      {"expect \"\\q\"", "line 1: the escapes are"},
      {"expect \"\\x4\"", "line 1: the escapes are"},
      {"expect \"\\xzz\"", "line 1: the escapes are"},
      {"expect \"\\", "line 1: the text has no closing quote"},
      {"expect \"${name}\"", "line 1: the variables are"},
      {"expect \"${round\"", "line 1: the variables are"},
      {"expect-regex \"(\"", "line 1: the regular expression does not compile"},
      {"expect-line\npause 5", "line 2: expected a duration"},
      {"expect-line\npause 0",
       "line 2: expected a duration such as 250us, 10ms, 5s, 2m, 1h, at least 1us"},
      {"expect-line\nend", "line 2: end without a repeat"},
      {"\nrepeat 2\nexpect-line", "line 2: repeat without an end"},
      {"repeat 0\nexpect-line\nend", "line 1: expected a number"},
      {"repeat ever\nexpect-line\nend", "or forever"},
      {"repeat 2\nsend \"a\"\nend\nexpect-line", "line 3: what is repeated waits for nothing"},
      {"close now\nexpect-line", "line 1: too much behind close"},
  };
  for (const auto& each : wrong) {
    const auto parsed = parse_script(each.text);
    ASSERT_FALSE(parsed.ok()) << each.text;
    EXPECT_NE(parsed.error().message.find(each.said), std::string::npos)
        << each.text << ": " << parsed.error().message;
  }
}

TEST(BenchScript, TextsHaveEscapesAndVariables) {
  const auto parsed = parse_script(
      "\tsend \"\\n\\r\\t\\0\\\\\\\"\\$\\x7f # ${connection}/${round}$\"  # "
      "comment\r\nexpect-line");
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  std::string text;
  parsed.value().steps[0].text.append_to(text, 7, 9);
  EXPECT_EQ(text, std::string("\n\r\t\0\\\"$\x7f # 7/9$", 15));
}

// A connection that plays a script: what it sends, and how it goes on with what it gets.
class Player {
 public:
  explicit Player(const std::string& text) {
    auto parsed = parse_script(text);
    EXPECT_TRUE(parsed.ok()) << parsed.error().message;
    script_ = std::move(parsed.value());
    traffic_ = make_script_traffic(script_);
    connection.index = 5;
    connection.pending.resize(1);
  }

  // As a load does: requests until one is pending, or the script pauses or closes. What is sent.
  std::string go_on() {
    for (int i = 0; i < 100 && connection.pending.empty(); ++i) {
      if (connection.close_wanted || connection.ready_ns != 0) break;
      traffic_->add_request(connection, {}, tally);
    }
    std::string sent(traffic_->unwritten(connection));
    traffic_->wrote(connection, sent.size(), tally);
    return sent;
  }
  void get(std::string_view bytes) { traffic_->receive(connection, bytes, 1, tally); }
  bool end() { return traffic_->ended(connection, 1, tally); }

  Connection connection;
  Tally tally;

 private:
  Script script_;
  std::unique_ptr<Traffic> traffic_;
};

TEST(BenchScript, AnExchangeIsOneRequest) {
  Player player(
      "expect-line \"hello ${connection}\"\n"
      "send \"a\"\nsend \"b\"\nexpect \"ab\"\nexpect-line\nexpect-regex \"^[0-9]+$\"\n");
  EXPECT_EQ(player.go_on(), "");
  player.get("hello 5\r\n");
  EXPECT_EQ(player.tally.requests, 1u);
  EXPECT_EQ(player.go_on(), "ab");
  for (const char byte : std::string("abanything\n12345\n")) {
    EXPECT_EQ(player.tally.requests, 1u);
    player.get({&byte, 1});
  }
  EXPECT_EQ(player.tally.requests, 2u);
  EXPECT_EQ(player.connection.script.round, 1u);
  EXPECT_EQ(player.go_on(), "");
  EXPECT_EQ(player.connection.pending.count(), 1u) << "the greeting of round 1";
  EXPECT_FALSE(player.tally.failed()) << player.tally.problem;
}

TEST(BenchScript, BytesThatAreEarlyWaitForTheirExpect) {
  Player player("send \"a\"\nexpect \"a\"\nsend \"b\"\nexpect \"b\"\n");
  EXPECT_EQ(player.go_on(), "a");
  player.get("ab");
  EXPECT_EQ(player.tally.requests, 1u);
  EXPECT_EQ(player.go_on(), "ba") << "b is there already; then round 1";
  EXPECT_EQ(player.tally.requests, 2u);
  EXPECT_FALSE(player.tally.failed());
}

TEST(BenchScript, RepeatsNestAndEnd) {
  Player player(
      "repeat 2\n send \"o\"\n repeat 3\n  send \"i\"\n  expect \".\"\n end\nend\n"
      "send \"x\"\nexpect \".\"\n");
  std::string sent;
  for (int i = 0; i < 7; ++i) {
    sent += player.go_on();
    player.get(".");
  }
  EXPECT_EQ(sent, "oiiioiiix");
  EXPECT_EQ(player.tally.requests, 7u);
  EXPECT_EQ(player.connection.script.round, 1u);
}

TEST(BenchScript, ATurnOfForeverIsARequest) {
  Player player("send \"subscribe\"\nrepeat forever\nexpect-line\nend\n");
  EXPECT_EQ(player.go_on(), "subscribe");
  player.get("1\n2\n3\n");
  EXPECT_EQ(player.tally.requests, 1u);
  player.go_on();
  player.go_on();
  EXPECT_EQ(player.tally.requests, 3u);
  EXPECT_EQ(player.connection.script.round, 0u);
}

TEST(BenchScript, PauseAndCloseStopIt) {
  Player player("send \"slow\"\npause 1h\nsend \"ly\\n\"\nexpect-line \"slowly\"\nclose\n");
  EXPECT_EQ(player.go_on(), "slow");
  EXPECT_GT(player.connection.ready_ns, 0);
  EXPECT_EQ(player.connection.pending.count(), 0u);
  player.connection.ready_ns = 0;
  EXPECT_EQ(player.go_on(), "ly\n");
  player.get("slowly\n");
  EXPECT_EQ(player.tally.requests, 1u);
  player.go_on();
  EXPECT_TRUE(player.connection.close_wanted);
  EXPECT_FALSE(player.tally.failed());
}

TEST(BenchScript, WhatIsLeftAtACloseIsWrong) {
  Player player("send \"a\"\nexpect \"a\"\nclose\n");
  player.go_on();
  player.get("abc");
  player.go_on();
  EXPECT_EQ(player.tally.wrong_bytes, 2u);
  EXPECT_NE(player.tally.problem.find("line 3 of the script: got \"bc\""), std::string::npos)
      << player.tally.problem;
}

TEST(BenchScript, AMismatchBeginsANewRound) {
  for (const char* expect : {"expect \"yes\"", "expect-line \"yes\"", "expect-regex \"^yes$\""}) {
    Player player(std::string("send \"a\"\n") + expect + "\n");
    player.go_on();
    player.get("yet\n");
    EXPECT_GE(player.tally.wrong_bytes, 1u) << expect;
    EXPECT_NE(player.tally.problem.find("connection 5, line 2 of the script: got \"ye"),
              std::string::npos)
        << player.tally.problem;
    EXPECT_TRUE(player.connection.close_wanted);
    EXPECT_EQ(player.connection.script.round, 1u);
    EXPECT_EQ(player.connection.pending.count(), 0u);
  }
}

TEST(BenchScript, ALineThatIsTooShortIsWrong) {
  Player player("expect-line \"longer\"\n");
  player.go_on();
  player.get("\n");
  EXPECT_GE(player.tally.wrong_bytes, 1u);
}

TEST(BenchScript, TheServerMayCloseWhereItIsExpected) {
  Player player("send \"quit\"\nexpect \"bye\"\nexpect-close\n");
  player.go_on();
  player.get("by");
  EXPECT_FALSE(player.end()) << "in the midst of a reply";
  player.get("e");
  EXPECT_EQ(player.tally.requests, 0u);
  EXPECT_TRUE(player.end());
  EXPECT_EQ(player.tally.requests, 1u);
}

TEST(BenchScript, UnaskedBytesHaveABound) {
  Player player("send \"a\"\npause 1h\nexpect \"a\"\n");
  player.go_on();
  for (int i = 0; i < 5; ++i) player.get(std::string(Traffic::kReceiveBytes, 'x'));
  EXPECT_GT(player.tally.wrong_bytes, 1u << 20);
  EXPECT_TRUE(player.connection.partial.empty());
}

}  // namespace
}  // namespace load
