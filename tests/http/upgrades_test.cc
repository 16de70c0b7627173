// Goal: a connection becomes a WebSocket or a stream of events behind its handshake, in order with
// what came before, and ends as those protocols say. Method: a Conversation with http::serve().
#include <gtest/gtest.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "http/serving/websocket_codec.h"
#include "http/websocket/deflate.h"
#include "http/websocket/frames.h"
#include "trireme/http.h"
#include "trireme/testing/conversation.h"

namespace {

namespace tr = trireme;
namespace http = trireme::http;
using http::Opcode;
using tr::testing::Conversation;

// What sessions have told.
struct Hall {
  std::vector<std::string> told{};
  std::optional<http::WebSocket> last{};
};

struct Room {
  Room(http::WebSocket given, const http::Request& request, Hall& shared)
      : socket(std::move(given)), hall(shared) {
    hall.last = socket;
    hall.told.push_back("open " + std::string(request.path()) + " " + socket.subprotocol());
    EXPECT_EQ(socket.send_text("welcome"), tr::SendResult::kQueued);
    if (request.path() == "/ws/throws") throw std::runtime_error("secret");
  }
  http::Outgoing on_message(const http::Message& message) {
    if (message.bytes == "throw") throw std::runtime_error("secret");
    if (message.bytes == "later") socket.after(std::chrono::seconds(5), 7);
    if (message.bytes == "bye") socket.close(4000, "as you wish");
    return message;
  }
  void on_timer(uint64_t tag) { socket.send_text("timer " + std::to_string(tag)); }
  void on_drain() { hall.told.push_back("drain"); }
  void on_close(tr::CloseReason reason) {
    hall.told.push_back("close " + std::to_string(static_cast<int>(reason)));
  }

  http::WebSocket socket;
  Hall& hall;
};

std::string client_frame(int first, std::string payload) {
  std::array<char, http::kFrameHeadBytesMax> head{};
  const size_t bytes = http::put_frame_head(Opcode::kText, false, payload.size(), head.data());
  head[0] = static_cast<char>(first);
  head[1] = static_cast<char>(head[1] | 0x80);
  const std::array<char, 4> mask = {'a', 'b', 'c', 'd'};
  http::unmask({payload.data(), payload.size()}, mask, 0);
  return std::string(head.data(), bytes) + "abcd" + payload;
}
std::string text_frame(std::string payload) { return client_frame(0x81, std::move(payload)); }

class HttpUpgrades : public testing::Test {
 protected:
  static http::Routes make_routes(Hall& hall, std::optional<http::EventStream>& events) {
    http::Routes routes;
    routes.get("/", [](const http::Request&) { return http::text("plain"); });
    routes.websocket<Room>("/ws/:name", {.message_bytes_max = 1000, .subprotocols = {"chat"}},
                           hall);
    routes.get("/events", [&events](http::EventStream given) {
      given.send({.data = "first", .id = "1"});
      events = std::move(given);
    });
    routes.get("/throws", [](http::EventStream given) {
      given.send("first");
      throw std::runtime_error("secret");
    });
    return routes;
  }
  std::string shake(std::string more = "", const std::string& name = "a") {
    return talk_.say("GET /ws/" + name +
                     " HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
                     "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                     "Sec-WebSocket-Version: 13\r\n" +
                     more + "\r\n");
  }
  // The server has ended its stream: it waits for the client's end, and for nothing else.
  bool has_ended() {
    EXPECT_EQ(talk_.end(), "");
    return talk_.closed().has_value();
  }

  Hall hall_;
  std::optional<http::EventStream> events_;
  Conversation talk_{http::serve(make_routes(hall_, events_))};
};

TEST_F(HttpUpgrades, BecomeAWebSocketBehindTheirHandshake) {
  EXPECT_TRUE(talk_.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n").ends_with("plain"));
  const std::string told = shake("Sec-WebSocket-Protocol: chat\r\n");
  EXPECT_TRUE(told.starts_with("HTTP/1.1 101 Switching Protocols\r\n")) << told;
  EXPECT_NE(told.find("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"),
            std::string::npos);
  EXPECT_TRUE(told.ends_with("\r\n\r\n\x81\x07welcome")) << "what the session says comes behind it";
  EXPECT_EQ(hall_.told, std::vector<std::string>{"open /ws/a chat"});
  EXPECT_EQ(talk_.say(text_frame("hello")), "\x81\x05hello");
  EXPECT_EQ(talk_.say(client_frame(0x82, "\xff")), "\x82\x01\xff");
  EXPECT_EQ(talk_.say(client_frame(0x01, "he") + client_frame(0x89, "p") + client_frame(0x80, "y")),
            "\x8a\x01p\x81\x03hey");
  EXPECT_EQ(talk_.say(text_frame("a") + text_frame("b")),
            "\x81\x01"
            "a\x81\x01"
            "b");
}

TEST_F(HttpUpgrades, EndAsTheClientSays) {
  shake();
  EXPECT_EQ(talk_.say(client_frame(0x88, "\x03\xe8")), "\x88\x02\x03\xe8");
  EXPECT_TRUE(has_ended());
  EXPECT_EQ(talk_.closed(), tr::CloseReason::kPeerClosed);
  EXPECT_EQ(hall_.told.size(), 2u);
  EXPECT_FALSE(hall_.last->connected());
  EXPECT_EQ(hall_.last->send_text("late"), tr::SendResult::kClosed);
}

TEST_F(HttpUpgrades, EndAsTheSessionSays) {
  shake();
  const std::string told = talk_.say(text_frame("bye"));
  EXPECT_EQ(told,
            "\x81\x03"
            "bye" +
                http::close_frame(4000, "as you wish"));
  EXPECT_EQ(hall_.last->send_text("late"), tr::SendResult::kClosed);
  EXPECT_TRUE(has_ended());
}

TEST_F(HttpUpgrades, CloseWithWhatMayBeSaid) {
  shake();
  for (const uint16_t code : {0, 999, 1004, 1005, 1006, 1015, 2999, 5000}) {
    EXPECT_THROW(hall_.last->close(code), std::invalid_argument) << code;
  }
  EXPECT_THROW(hall_.last->close(1000, "\xff"), std::invalid_argument);
  hall_.last->close(1000, "once");
  hall_.last->close(1000, "twice");
  EXPECT_EQ(talk_.hear(), http::close_frame(1000, "once"));
}

TEST_F(HttpUpgrades, KeepTheTimerOfPings) {
  shake();
  hall_.last->cancel(http::WebSocket::kTagsEnd);
  EXPECT_EQ(talk_.advance(std::chrono::seconds(31)), std::string("\x89\0", 2));
}

TEST_F(HttpUpgrades, EndWithTheCodeOfWhatIsWrong) {
  shake();
  EXPECT_EQ(talk_.say(text_frame("ok") + text_frame("\xff") + text_frame("later")),
            "\x81\x02ok" + http::close_frame(1007));
  EXPECT_TRUE(has_ended());
  EXPECT_EQ(talk_.closed(), tr::CloseReason::kProtocolError);
}

TEST_F(HttpUpgrades, EndWithAMessageThatIsTooLong) {
  shake();
  EXPECT_EQ(talk_.say(text_frame(std::string(1001, 'x'))), http::close_frame(1009));
}

TEST_F(HttpUpgrades, EndWithASessionThatThrows) {
  shake();
  EXPECT_EQ(talk_.say(text_frame("throw")), http::close_frame(1011));
  EXPECT_TRUE(has_ended());
}

TEST_F(HttpUpgrades, HaveTimersOfTheirSessions) {
  shake();
  EXPECT_EQ(talk_.say(text_frame("later")), "\x81\x05later");
  EXPECT_EQ(talk_.advance(std::chrono::seconds(6)), "\x81\x07timer 7");
  EXPECT_THROW(hall_.last->after({}, http::WebSocket::kTagsEnd), std::invalid_argument);
}

TEST_F(HttpUpgrades, PingAndMissClientsThatVanish) {
  shake();
  EXPECT_EQ(talk_.advance(std::chrono::seconds(31)), std::string("\x89\0", 2));
  EXPECT_EQ(talk_.say(client_frame(0x8a, "")), "") << "a Pong";
  EXPECT_EQ(talk_.advance(std::chrono::seconds(30)), std::string("\x89\0", 2));
  EXPECT_EQ(talk_.advance(std::chrono::seconds(30)), "");
  EXPECT_TRUE(has_ended());
}

TEST_F(HttpUpgrades, DeflateWhereItWasAgreed) {
  const std::string told = shake("Sec-WebSocket-Extensions: permessage-deflate\r\n");
  EXPECT_NE(told.find("Sec-WebSocket-Extensions: permessage-deflate"), std::string::npos);
  http::Deflating deflating;
  const std::string message(500, 'x');
  const std::string back = talk_.say(client_frame(0xc1, deflating.deflate_message(message, 15)));
  EXPECT_EQ(back[0], '\xc1');
  EXPECT_LT(back.size(), 50u);
  std::string again;
  deflating.inflate_message(back.substr(2), 1000, again);
  EXPECT_EQ(again, message);
  EXPECT_EQ(talk_.say(client_frame(0xc1, deflating.deflate_message(std::string(9999, 'x'), 15))),
            http::close_frame(1009));
}

TEST_F(HttpUpgrades, AreWholeOrNotAtAll) {
  const std::string told = shake("", "throws");
  EXPECT_TRUE(told.starts_with("HTTP/1.1 500 ")) << told;
  EXPECT_EQ(told.find("101"), std::string::npos) << told;
  EXPECT_EQ(told.find("welcome"), std::string::npos) << told;
  EXPECT_TRUE(has_ended()) << "what the session has published may be in use";
}

TEST_F(HttpUpgrades, OfAHandlerThatThrowsEndCut) {
  const std::string told =
      talk_.say("GET /throws HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(told.starts_with("HTTP/1.1 200 OK\r\n")) << told;
  EXPECT_EQ(told.find("HTTP/1.1", 1), std::string::npos) << told;
  EXPECT_FALSE(told.ends_with("\r\n0\r\n\r\n")) << "the client must see the cut";
  EXPECT_TRUE(has_ended());
}

TEST_F(HttpUpgrades, ClockFragmentsAsOneMessage) {
  tr::ListenOptions options;
  options.limits.request_time_max = std::chrono::seconds(5);
  Conversation talk(http::serve(make_routes(hall_, events_)), options);
  talk.say(
      "GET /ws/a HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n");
  EXPECT_EQ(talk.say(client_frame(0x01, "a")), "");
  EXPECT_EQ(talk.advance(std::chrono::seconds(3)), "");
  EXPECT_EQ(talk.say(client_frame(0x00, "b")), "");
  EXPECT_EQ(talk.advance(std::chrono::seconds(3)), http::close_frame(1008));
}

// What inflates to much is inflated where handlers run: it would hold up the loop.
TEST_F(HttpUpgrades, InflateInTheirHandlers) {
  const auto route = std::make_shared<http::WebSocketRoute>();
  http::Handshake handshake;
  handshake.deflate.emplace();
  http::WebSocketDecoder decoder(
      std::make_shared<http::detail::WebSocketShared>(route, std::move(handshake)), 1);
  const std::string deflated = route->deflating.deflate_message(std::string(100'000, 'x'), 15);
  std::string input = client_frame(0xc1, deflated);
  tr::DecodedFrame frame;
  decoder.decode({input.data(), input.size()}, false, 1 << 20, frame);
  EXPECT_EQ(frame.kind, tr::Frame::Kind::kRequest);
  EXPECT_EQ(frame.payload, deflated);
  EXPECT_TRUE(frame.tag.as<http::MessageTag>().is_deflated);
  input = client_frame(0xc1, route->deflating.deflate_message(std::string(1000, 'x'), 15));
  frame = {};
  decoder.decode({input.data(), input.size()}, false, 1 << 20, frame);
  EXPECT_EQ(frame.owned, std::string(1000, 'x'));
  EXPECT_FALSE(frame.tag.as<http::MessageTag>().is_deflated);
}

TEST_F(HttpUpgrades, HaveTheSameMessagesWhereverTheyAreInflated) {
  Conversation talk(http::serve([this] {
    http::Routes routes;
    routes.websocket<Room>("/ws/:name", {.deflate_bytes_min = 1 << 20}, hall_);
    return routes;
  }()));
  talk.say(
      "GET /ws/a HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
      "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n");
  http::Deflating deflating;
  for (const size_t bytes :
       {size_t{0}, size_t{1000}, size_t{65'536}, size_t{65'537}, size_t{500'000}}) {
    const std::string message(bytes, 'x');
    EXPECT_EQ(talk.say(client_frame(0xc1, deflating.deflate_message(message, 15))),
              http::frame_of(Opcode::kText, message))
        << bytes;
  }
  EXPECT_EQ(
      talk.say(client_frame(0xc1, deflating.deflate_message(std::string(70'000, '\xff'), 15))),
      http::close_frame(1007));
}

TEST_F(HttpUpgrades, EndWithWhatIsNoDeflate) {
  shake("Sec-WebSocket-Extensions: permessage-deflate\r\n");
  EXPECT_EQ(talk_.say(client_frame(0xc1, "nonsense") + text_frame("behind")),
            http::close_frame(1007));
  EXPECT_TRUE(has_ended());
}

TEST_F(HttpUpgrades, SendOneMessageToMany) {
  shake();
  const auto message = http::Broadcast::text(std::string(500, 'x'));
  EXPECT_EQ(hall_.last->send(message), tr::SendResult::kQueued);
  EXPECT_EQ(talk_.hear(), http::frame_of(Opcode::kText, std::string(500, 'x')));
  EXPECT_EQ(hall_.last->send(http::Broadcast::binary("b")), tr::SendResult::kQueued);
  EXPECT_EQ(talk_.hear(), http::frame_of(Opcode::kBinary, "b"));
}

TEST_F(HttpUpgrades, DeflateOneMessageForManyOnce) {
  shake("Sec-WebSocket-Extensions: permessage-deflate\r\n");
  const std::string text(500, 'x');
  const auto message = http::Broadcast::text(text);
  hall_.last->send(message);
  const std::string first = talk_.hear();
  EXPECT_EQ(first[0], '\xc1');
  EXPECT_LT(first.size(), 50u);
  hall_.last->send(message);
  EXPECT_EQ(talk_.hear(), first);
  hall_.last->send(http::Broadcast::text("short"));
  EXPECT_EQ(talk_.hear(), "\x81\x05short");
}

TEST_F(HttpUpgrades, HaveHeartbeatsAndPreparedEvents) {
  talk_.say("GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(talk_.advance(std::chrono::seconds(31)), "4\r\n: \n\n\r\n");
  EXPECT_EQ(talk_.advance(std::chrono::seconds(31)), "4\r\n: \n\n\r\n");
  const http::PreparedEvent event({.data = "all"});
  EXPECT_EQ(events_->send(event), tr::SendResult::kQueued);
  EXPECT_EQ(talk_.hear(), "b\r\ndata: all\n\n\r\n");
}

TEST_F(HttpUpgrades, AreRefusedInHttp) {
  const std::string told = talk_.say("GET /ws/a HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(told.starts_with("HTTP/1.1 426 Upgrade Required\r\n")) << told;
  EXPECT_NE(told.find("Sec-WebSocket-Version: 13\r\n"), std::string::npos);
  EXPECT_TRUE(shake("Origin: http://elsewhere\r\n").starts_with("HTTP/1.1 403 "));
  EXPECT_TRUE(talk_.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n").ends_with("plain"));
}

TEST_F(HttpUpgrades, SayGoodbyeAtADrain) {
  shake();
  EXPECT_EQ(talk_.drain(), http::close_frame(1001));
  EXPECT_EQ(hall_.told[1], "drain");
}

TEST_F(HttpUpgrades, BecomeAStreamOfEvents) {
  const std::string told = talk_.say(
      "GET /events HTTP/1.1\r\nHost: a\r\nLast-Event-ID: 7\r\n\r\n"
      "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(told.starts_with("HTTP/1.1 200 OK\r\n")) << told;
  EXPECT_NE(told.find("\r\nContent-Type: text/event-stream\r\n"), std::string::npos);
  EXPECT_TRUE(told.ends_with("\r\n\r\n13\r\nid: 1\ndata: first\n\n\r\n")) << told;
  ASSERT_TRUE(events_);
  EXPECT_EQ(events_->last_event_id(), "7");
  EXPECT_EQ(events_->send({.data = "a\r\nb", .name = "n"}), tr::SendResult::kQueued);
  EXPECT_EQ(talk_.hear(), "1a\r\nevent: n\ndata: a\ndata: b\n\n\r\n");
  events_->comment("alive");
  EXPECT_EQ(talk_.hear(), "9\r\n: alive\n\n\r\n");
  EXPECT_THROW(events_->send({.data = "", .id = "a\nb"}), std::invalid_argument);
  events_->close();
  EXPECT_EQ(talk_.hear(), "0\r\n\r\n");
  EXPECT_TRUE(has_ended());
  EXPECT_FALSE(events_->connected());
}

TEST_F(HttpUpgrades, SeeThatTheClientOfAStreamHasGone) {
  talk_.say("GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(events_->connected());
  talk_.reset();
  EXPECT_FALSE(events_->connected());
  EXPECT_EQ(events_->send("late"), tr::SendResult::kClosed);
}

TEST_F(HttpUpgrades, HaveNoChunksForOldClients) {
  const std::string told = talk_.say("GET /events HTTP/1.0\r\n\r\n");
  EXPECT_EQ(told.find("chunked"), std::string::npos);
  EXPECT_TRUE(told.ends_with("\r\n\r\nid: 1\ndata: first\n\n")) << told;
  EXPECT_EQ(talk_.drain(), "");
}

TEST_F(HttpUpgrades, EndAStreamWholeAtADrain) {
  talk_.say("GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(talk_.drain(), "0\r\n\r\n");
}

}  // namespace
