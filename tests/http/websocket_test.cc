// Goal: frames become the messages of RFC 6455 wherever they are cut, and what it forbids ends the
// connection with the right code; handshakes and permessage-deflate are those of the RFCs. Method:
// the RFCs' examples, frames made here, cut byte by byte.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "http/websocket/deflate.h"
#include "http/websocket/frames.h"
#include "http/websocket/handshake.h"
#include "http/websocket/utf8.h"

namespace {

namespace http = trireme::http;
using http::FrameReader;
using http::Opcode;
using namespace std::string_literals;

// A frame of a client. `first`: FIN, reserved bits and opcode.
std::string masked(int first, std::string payload) {
  const std::array<char, 4> mask = {'\x11', '\x22', '\x33', '\x44'};
  std::array<char, http::kFrameHeadBytesMax> head{};
  const size_t bytes = http::put_frame_head(Opcode::kText, false, payload.size(), head.data());
  head[0] = static_cast<char>(first);
  head[1] = static_cast<char>(head[1] | 0x80);
  std::string frame(head.data(), bytes);
  frame.append(mask.data(), mask.size());
  http::unmask({payload.data(), payload.size()}, mask, 0);
  return frame + payload;
}
std::string text(std::string payload) { return masked(0x81, std::move(payload)); }

// What is found, a word each, until the reader wants more or fails.
std::string read(std::string stream, size_t piece, http::FrameLimits limits = {}) {
  using Kind = FrameReader::Kind;
  FrameReader reader;
  std::string waiting, told;
  while (true) {
    std::vector<char> input(waiting.begin(), waiting.end());
    FrameReader::Found found = reader.read({input.data(), input.size()}, limits);
    waiting.assign(input.begin(), input.end());
    const std::string payload = found.owned.empty() ? std::string(found.payload) : found.owned;
    if (found.kind == Kind::kMore) {
      if (stream.empty()) return told + (waiting.empty() && !reader.in_message() ? "" : "...");
      waiting += stream.substr(0, piece);
      stream.erase(0, piece);
      continue;
    }
    if (found.kind == Kind::kFailed) return told + "!" + std::to_string(found.code);
    if (found.kind == Kind::kMessage) {
      told += (found.compressed ? "z" : found.text ? "t" : "b") + (":" + payload + " ");
    }
    if (found.kind == Kind::kPing) told += "ping:" + payload + " ";
    if (found.kind == Kind::kClose) return told + "close:" + std::to_string(found.code) + payload;
    waiting.erase(0, found.consumed);
  }
}
std::string read(std::string stream, http::FrameLimits limits = {}) {
  const std::string whole = read(stream, stream.size() + 1, limits);
  EXPECT_EQ(read(stream, 1, limits), whole);
  EXPECT_EQ(read(stream, 3, limits), whole);
  return whole;
}

TEST(WebSocketFrames, BecomeMessages) {
  EXPECT_EQ(read(text("hello")), "t:hello ");
  EXPECT_EQ(read(masked(0x82, "\x00\xff"s)), "b:\x00\xff "s);
  EXPECT_EQ(read(text("") + masked(0x82, "")), "t: b: ");
  EXPECT_EQ(read(masked(0x01, "he") + masked(0x00, "") + masked(0x80, "llo")), "t:hello ");
  EXPECT_EQ(read(masked(0x01, "a") + masked(0x89, "p") + masked(0x8a, "x") + masked(0x80, "b") +
                 text("c")),
            "ping:p t:ab t:c ");
  for (const size_t size : {125u, 126u, 127u, 65'535u, 65'536u}) {
    const std::string payload(size, 'x');
    EXPECT_EQ(read(text(payload), 1000), "t:" + payload + " ");
  }
  EXPECT_EQ(read(masked(0x88, "")), "close:1005");
  EXPECT_EQ(read(masked(0x88,
                        "\x03\xe8"
                        "bye") +
                 text("later")),
            "close:1000bye");
  EXPECT_EQ(read(text("hello").substr(0, 4)), "...");
}

TEST(WebSocketFrames, FailWithTheRightCode) {
  EXPECT_EQ(read(http::frame_of(Opcode::kText, "unmasked")), "!1002");
  for (const int first : {0x83, 0x87, 0x8b, 0x8f, 0x91, 0xa1, 0xc1, 0x80, 0x00, 0x09, 0x08}) {
    EXPECT_EQ(read(masked(first, "x")), "!1002") << first;
  }
  EXPECT_EQ(read(masked(0x01, "a") + text("b")), "!1002");
  EXPECT_EQ(read(masked(0x89, std::string(126, 'x'))), "!1002");
  EXPECT_EQ(read("\x82\xfe\x00\x05"s), "!1002") << "a length that could be shorter";
  EXPECT_EQ(read("\x82\xff\x00\x00\x00\x00\x00\x00\xff\xff"s), "!1002");
  EXPECT_EQ(read("\x82\xff\x80\x00\x00\x00\x00\x00\x00\x00"s), "!1002");
  EXPECT_EQ(read("\x82\xff\x40\x00\x00\x00\x00\x00\x00\x00"s), "!1009") << "without its payload";
  EXPECT_EQ(read(masked(0x88, "\x03")), "!1002");
  for (const char* code :
       {"\x03\xe7", "\x03\xec", "\x03\xed", "\x03\xee", "\x03\xf7", "\x13\x88"}) {
    EXPECT_EQ(read(masked(0x88, code)), "!1002");
  }
  EXPECT_EQ(read(masked(0x88, "\x03\xe8\xff")), "!1007");
  http::FrameLimits small;
  small.message_bytes_max = 10;
  EXPECT_EQ(read(text("0123456789"), small), "t:0123456789 ");
  EXPECT_EQ(read(text("0123456789x"), small), "!1009");
  EXPECT_EQ(read(masked(0x01, "01234567") + masked(0x80, "89x"), small), "!1009");
}

TEST(WebSocketFrames, HoldValidText) {
  EXPECT_EQ(read(text("\xce\xba\xe1\xbd\xb9\xf0\x9f\x98\x80")),
            "t:\xce\xba\xe1\xbd\xb9\xf0\x9f\x98\x80 ");
  EXPECT_EQ(read(masked(0x01, "\xf0\x9f") + masked(0x80, "\x98\x80")), "t:\xf0\x9f\x98\x80 ");
  for (const char* bad : {"\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff", "\x80", "\xc2",
                          "\xe0\x80\xaf", "\xf0\x80\x80\xaf", "\xc2\xc2", "\xf5\x80\x80\x80"}) {
    EXPECT_EQ(read(text("12345678" + std::string(bad))), "!1007") << bad;
    EXPECT_EQ(read(masked(0x82, bad)), "b:" + std::string(bad) + " ");
  }
  const std::string cut = text("\xff" + std::string(100, 'x')).substr(0, 20);
  EXPECT_EQ(read(cut), "!1007") << "it is not waited for";
}

TEST(WebSocketFrames, ReserveABitForDeflate) {
  http::FrameLimits limits;
  limits.deflate = true;
  EXPECT_EQ(read(masked(0xc1, "\xf2\x48"), limits), "z:\xf2\x48 ");
  EXPECT_EQ(read(masked(0x41, "\xf2") + masked(0x80, "\x48"), limits), "z:\xf2\x48 ");
  EXPECT_EQ(read(masked(0x41, "\xf2") + masked(0xc0, "\x48"), limits), "!1002");
  EXPECT_EQ(read(masked(0xc9, "x"), limits), "!1002");
}

TEST(WebSocketFrames, AreWrittenInTheShortestForm) {
  EXPECT_EQ(http::frame_of(Opcode::kText, "Hello"), "\x81\x05Hello");
  EXPECT_EQ(http::frame_of(Opcode::kBinary, std::string(256, 'x')).substr(0, 4),
            "\x82\x7e\x01\x00"s);
  EXPECT_EQ(http::frame_of(Opcode::kBinary, std::string(65'536, 'x')).substr(0, 10),
            "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00"s);
  EXPECT_EQ(http::close_frame(1000, "bye"),
            "\x88\x05\x03\xe8"
            "bye");
  const std::string cut = http::close_frame(1000, std::string(122, 'x') + "\xc3\xa9");
  EXPECT_EQ(cut.size(), 2 + 2 + 122u) << "no half of a character";
}

TEST(WebSocketDeflate, HasTheExamplesOfTheRfc) {
  http::Deflating deflating;
  for (const std::string& payload :
       {"\xf2\x48\xcd\xc9\xc9\x07\x00"s, "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"s,
        "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"s,
        "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"s}) {
    std::string message;
    EXPECT_EQ(deflating.inflate_message(payload, 100, message), http::Deflating::Outcome::kDone);
    EXPECT_EQ(message, "Hello");
  }
  for (const size_t size : {0u, 1u, 1000u, 100'000u}) {
    for (const int window_bits : {9, 12, 15}) {
      std::string message;
      for (size_t i = 0; i < size; ++i) message += static_cast<char>('a' + i * i % 23);
      std::string again;
      const std::string payload = deflating.deflate_message(message, window_bits);
      EXPECT_EQ(deflating.inflate_message(payload, size, again), http::Deflating::Outcome::kDone);
      EXPECT_EQ(again, message);
    }
  }
}

TEST(WebSocketDeflate, IsBoundedWhileItInflates) {
  http::Deflating deflating;
  const std::string bomb = deflating.deflate_message(std::string(10 << 20, 'x'), 15);
  EXPECT_LT(bomb.size(), 100'000u);
  std::string message;
  EXPECT_EQ(deflating.inflate_message(bomb, 1 << 20, message), http::Deflating::Outcome::kTooBig);
  EXPECT_LE(message.size(), 1u << 20);
  message.clear();
  EXPECT_EQ(deflating.inflate_message("\x07\xff\xff\xff", 1000, message),
            http::Deflating::Outcome::kCorrupt);
}

std::string hand(std::string more = "") {
  return "Host: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" +
         more;
}

TEST(WebSocketHandshake, IsThatOfTheRfc) {
  const auto made = http::shake_hands(hand(), true, "a", {});
  EXPECT_EQ(made.status, 101) << made.reason;
  EXPECT_EQ(made.fields,
            "Upgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n");
}

TEST(WebSocketHandshake, IsRefusedWhereItIsNone) {
  const auto status = [](std::string fields, bool upgrades = true) {
    return http::shake_hands(fields, upgrades, "a", {}).status;
  };
  EXPECT_EQ(status(hand(), false), 426);
  EXPECT_EQ(status("Upgrade: pigeon\r\nSec-WebSocket-Version: 13\r\n"), 426);
  EXPECT_EQ(status("Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"), 400);
  EXPECT_EQ(status("Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"), 400);
  EXPECT_EQ(status("Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                   "Sec-WebSocket-Version: 8\r\n"),
            426);
  EXPECT_EQ(status(hand("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")), 400);
  EXPECT_EQ(status(hand("Sec-WebSocket-Extensions: a b\r\n")), 400);
  EXPECT_EQ(status(hand("Sec-WebSocket-Protocol: a b\r\n")), 400);
  EXPECT_EQ(
      status("Upgrade: websocket\r\nSec-WebSocket-Key: short\r\nSec-WebSocket-Version: 13\r\n"),
      400);
}

TEST(WebSocketHandshake, HeedsOrigins) {
  const auto status = [](std::string origin, std::string host,
                         http::HandshakeOptions options = {}) {
    return http::shake_hands(hand("Origin: " + origin + "\r\n"), true, host, options).status;
  };
  EXPECT_EQ(status("http://a", "A"), 101);
  EXPECT_EQ(status("http://a:80", "a"), 101);
  EXPECT_EQ(status("https://a", "a:443"), 101);
  EXPECT_EQ(status("http://a:8080", "a"), 403);
  EXPECT_EQ(status("http://b", "a"), 403);
  EXPECT_EQ(status("null", "a"), 403);
  EXPECT_EQ(status("http://b", "a", {.origins = {"http://b"}}), 101);
  EXPECT_EQ(status("http://a", "a", {.origins = {"http://b"}}), 403);
  EXPECT_EQ(status("http://c", "a", {.origins = {"*"}}), 101);
}

TEST(WebSocketHandshake, ChoosesWhatBothSpeak) {
  const http::HandshakeOptions options{.subprotocols = {"chat.v2", "chat.v1"}};
  auto made = http::shake_hands(
      hand("Sec-WebSocket-Protocol: x, chat.v1\r\nSec-WebSocket-Protocol: chat.v2\r\n"), true, "a",
      options);
  EXPECT_EQ(made.subprotocol, "chat.v2");
  EXPECT_NE(made.fields.find("Sec-WebSocket-Protocol: chat.v2\r\n"), std::string::npos);
  made = http::shake_hands(hand("Sec-WebSocket-Protocol: x\r\n"), true, "a", options);
  EXPECT_EQ(made.status, 101);
  EXPECT_EQ(made.subprotocol, "");
  const auto deflate = [](const char* offers) { return http::choose_deflate(offers); };
  EXPECT_TRUE(deflate("permessage-deflate"));
  EXPECT_TRUE(deflate("permessage-deflate; client_max_window_bits"));
  EXPECT_EQ(deflate("permessage-deflate; server_max_window_bits=10")->server_window_bits, 10);
  EXPECT_EQ(deflate("x, permessage-deflate; y, permessage-deflate; "
                    "server_max_window_bits=\"9\"")
                ->server_window_bits,
            9);
  for (const char* offers :
       {"", "x", "permessage-deflate; y", "permessage-deflate; server_max_window_bits",
        "permessage-deflate; server_max_window_bits=7",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; server_max_window_bits=010",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
        "permessage-deflate; client_max_window_bits=99",
        "permessage-deflate; server_max_window_bits=8"}) {
    EXPECT_FALSE(deflate(offers)) << offers;
  }
}

}  // namespace
