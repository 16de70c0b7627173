// Goal: the replies of a server are the same ones wherever its stream is cut, and what is no reply
// is found; frames of WebSocket likewise. Method: tables, each stream whole and in pieces.
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "load/http_reply.h"
#include "load/websocket_reply.h"

namespace load { namespace {

// What a reader tells of a stream that comes in pieces of that size.
std::string told_of_replies(std::string_view stream, size_t piece, bool no_content = false) {
  HttpReplyReader reader;
  if (no_content) reader.expect_no_content();
  std::string told;
  while (!stream.empty()) {
    // In memory of its own: what is read outside of it is seen.
    const std::string copy(stream.substr(0, piece));
    stream.remove_prefix(copy.size());
    std::string_view bytes = copy;
    for (bool more = true; more;) {
      switch (reader.next(bytes)) {
        case HttpReplyReader::Found::kMore:
          more = false;
          break;
        case HttpReplyReader::Found::kContent:
          told += reader.content();
          break;
        case HttpReplyReader::Found::kReply:
          told += "|" + std::to_string(reader.status()) + " " +
                  std::to_string(reader.content_bytes()) + (reader.ends_connection() ? "!" : "") +
                  "\n";
          break;
        case HttpReplyReader::Found::kFault:
          return told + "fault";
      }
    }
  }
  switch (reader.end()) {
    case HttpReplyReader::Found::kReply:
      return told + "|end " + std::to_string(reader.content_bytes());
    case HttpReplyReader::Found::kMore:
      return told;
    default:
      return told + "cut";
  }
}

TEST(BenchReplies, AreCutWhereTheyEnd) {
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  const struct {
    std::string stream;
    std::string told;
  } all[] = {
      {ok + "Content-Length: 2\r\n\r\nab" + ok + "content-length:0\r\n\r\n", "ab|200 2\n|200 0\n"},
      {ok + "Transfer-Encoding: Chunked\r\n\r\n3;a=b\r\nabc\r\n0a\r\n0123456789\r\n0\r\nX: "
            "y\r\n\r\n",
       "abc0123456789|200 13\n"},
      {"HTTP/1.1 100 Continue\r\n\r\n" + ok + "Content-Length: 1\r\n\r\nx", "x|200 1\n"},
      {"HTTP/1.1 204\r\n\r\nHTTP/1.1 304 Not\r\nContent-Length: 9\r\n\r\n", "|204 0\n|304 0\n"},
      {ok + "Connection: a, Close\r\nContent-Length: 1\r\n\r\nx", "x|200 1!\n"},
      {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", "x|200 1!\n"},
      {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx", "x|200 1\n"},
      {ok + "\r\nto the end", "to the end|end 10"},
      {ok + "Content-Length: 5\r\n\r\nab", "abcut"},
      {ok + "Content-Le", "cut"},
      {ok + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", "fault"},
      {ok + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "fault"},
      {ok + "Content-Length: -1\r\n\r\n", "fault"},
      {ok + "Transfer-Encoding: gzip\r\n\r\n", "fault"},
      {ok + "Transfer-Encoding: chunked\r\n\r\nxy\r\n", "fault"},
      {ok + "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", "afault"},
      {"HTTP/2 200\r\n\r\n", "fault"},
      {"HTTP/1.1 2000\r\n\r\n", "fault"},
      {"\x81\x05hello\r\n\r\n", "fault"},
  };
  for (const auto& each : all) {
    for (const size_t piece : {each.stream.size(), size_t{1}, size_t{2}, size_t{7}}) {
      EXPECT_EQ(told_of_replies(each.stream, piece), each.told) << each.stream << " by " << piece;
    }
  }
}

TEST(BenchReplies, ToHeadHaveNoContent) {
  EXPECT_EQ(told_of_replies("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", 3, true), "|200 0\n");
}

TEST(BenchReplies, HaveHeadsOfABoundedSize) {
  std::string stream = "HTTP/1.1 200 OK\r\n";
  while (stream.size() < 80'000) stream += "X: " + std::string(1000, 'x') + "\r\n";
  EXPECT_EQ(told_of_replies(stream, 1000), "fault");
}

std::string server_frame(unsigned first, std::string_view payload) {
  std::string frame(1, static_cast<char>(first));
  if (payload.size() < 126) {
    frame += static_cast<char>(payload.size());
  } else {
    frame += '\x7e';
    frame += static_cast<char>(payload.size() >> 8);
    frame += static_cast<char>(payload.size());
  }
  return frame + std::string(payload);
}

std::string told_of_frames(std::string_view stream, size_t piece) {
  WebSocketReader reader;
  std::string told;
  while (!stream.empty()) {
    const std::string copy(stream.substr(0, piece));
    stream.remove_prefix(copy.size());
    std::string_view bytes = copy;
    for (bool more = true; more;) {
      switch (reader.next(bytes)) {
        case WebSocketReader::Found::kMore:
          more = false;
          break;
        case WebSocketReader::Found::kPayload:
          told += reader.payload();
          break;
        case WebSocketReader::Found::kMessage:
          told += (reader.is_text() ? "|t" : "|b") + std::to_string(reader.message_bytes()) + "\n";
          break;
        case WebSocketReader::Found::kPing:
          told += "ping " + std::string(reader.payload()) + "\n";
          break;
        case WebSocketReader::Found::kClose:
          return told + "close";
        case WebSocketReader::Found::kFault:
          return told + "fault";
      }
    }
  }
  return told;
}

TEST(BenchFrames, AreCutWhereTheyEnd) {
  const std::string text = server_frame(0x81, "hello");
  const std::string longer(300, 'x');
  const struct {
    std::string stream;
    std::string told;
  } all[] = {
      {text + server_frame(0x82, ""), "hello|t5\n|b0\n"},
      {server_frame(0x82, longer), longer + "|b300\n"},
      {server_frame(0x01, "a") + server_frame(0x89, "p") + server_frame(0x00, "b") +
           server_frame(0x80, "c"),
       "aping p\nbc|t3\n"},
      {server_frame(0x8a, "") + text, "hello|t5\n"},
      {text + server_frame(0x88, "\x03\xe8"), "hello|t5\nclose"},
      {std::string("\x81\x81") + "keyx", "fault"},
      {server_frame(0xc1, "a"), "fault"},
      {server_frame(0x80, "a"), "fault"},
      {server_frame(0x01, "a") + text, "afault"},
      {server_frame(0x09, "a"), "fault"},
      {server_frame(0x83, "a"), "fault"},
      {server_frame(0x89, longer), "fault"},
  };
  for (const auto& each : all) {
    for (const size_t piece : {each.stream.size(), size_t{1}, size_t{3}}) {
      EXPECT_EQ(told_of_frames(each.stream, piece), each.told) << " by " << piece;
    }
  }
}

TEST(BenchFrames, OfClientsAreMasked) {
  for (const size_t bytes : {0u, 5u, 125u, 126u, 65535u, 65536u}) {
    const std::string payload(bytes, 'x');
    std::string frame;
    append_client_frame(WebSocketOpcode::kText, payload, 0x04030201, frame);
    const size_t length_bytes = bytes < 126 ? 0 : bytes < 65536 ? 2 : 8;
    ASSERT_EQ(frame.size(), 2 + length_bytes + 4 + bytes);
    EXPECT_EQ(frame[0], '\x81');
    EXPECT_EQ(frame[1] & 0x80, 0x80);
    const size_t mask = 2 + length_bytes;
    for (size_t i = 0; i < bytes; ++i) ASSERT_EQ(frame[mask + 4 + i] ^ frame[mask + i % 4], 'x');
  }
}

TEST(BenchUrls, AreReadInTheirParts) {
  const auto read = [](std::string_view url, std::string_view scheme = "http") {
    const auto made = read_web_url(url, scheme);
    if (!made) return std::string("refused");
    return made.value().endpoint + " " + made.value().host + " " + made.value().target +
           (made.value().is_secure ? " s" : "");
  };
  EXPECT_EQ(read("http://a"), "tcp://a:80 a /");
  EXPECT_EQ(read("http://a:81/b?c=d"), "tcp://a:81 a:81 /b?c=d");
  EXPECT_EQ(read("http://a?c"), "tcp://a:80 a /?c");
  EXPECT_EQ(read("http://[::1]/x"), "tcp://[::1]:80 [::1] /x");
  EXPECT_EQ(read("http://[::1]:7/x"), "tcp://[::1]:7 [::1]:7 /x");
  EXPECT_EQ(read("https://a/"), "tls://a:443 a / s");
  EXPECT_EQ(read("wss://a/", "ws"), "tls://a:443 a / s");
  EXPECT_EQ(read("ws://a/", "ws"), "tcp://a:80 a /");
  for (const char* wrong : {"http:/a", "a", "http://", "http:///x", "ftp://a", "httpx://a",
                            "http://a/b c", "http://a/#b", "http://a/\r\nX: y", "ws://a"}) {
    EXPECT_EQ(read(wrong), "refused") << wrong;
  }
}

}  // namespace
}  // namespace load
