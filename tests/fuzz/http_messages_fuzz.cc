// Goal: the requests in any bytes are the same ones wherever they are cut; and what the message
// reader accepts, llhttp reads alone, strict and in one piece, as the same message: nobody behind
// this server can see another request. Method: libFuzzer; the first byte says how the stream is
// cut.
#include <llhttp.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "http/messages.h"
#include "runtime/system/random.h"

namespace {

namespace http = trireme::http;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "fuzz: %s\n", what);
  std::abort();
}

// What llhttp makes of one message as it came.
struct Told {
  std::string target{}, content{};
  bool complete = false;
};

int on_url(llhttp_t* parser, const char* at, size_t bytes) {
  static_cast<Told*>(parser->data)->target.append(at, bytes);
  return 0;
}
int on_body(llhttp_t* parser, const char* at, size_t bytes) {
  static_cast<Told*>(parser->data)->content.append(at, bytes);
  return 0;
}
int on_complete(llhttp_t* parser) {
  static_cast<Told*>(parser->data)->complete = true;
  return HPE_PAUSED;
}

void compare(std::string raw, const http::MessageReader::Found& found) {
  const std::string_view message = http_tests::text_of(found);
  Told told;
  llhttp_settings_t settings;
  llhttp_settings_init(&settings);
  settings.on_url = on_url;
  settings.on_body = on_body;
  settings.on_message_complete = on_complete;
  llhttp_t parser;
  llhttp_init(&parser, HTTP_REQUEST, &settings);
  parser.data = &told;
  // What is 1.2 and later is served as 1.1, and llhttp knows 1.1.
  const size_t line_end = raw.find("\r\n");
  if (raw[line_end - 1] > '1') raw[line_end - 1] = '1';
  const llhttp_errno_t error = llhttp_execute(&parser, raw.data(), raw.size());
  const bool accepts = error == HPE_PAUSED || error == HPE_PAUSED_UPGRADE;
  // Of chunks it refuses more: blanks beside extensions, lengths in trailers.
  if (!accepts && found.facts.has(http::MessageFacts::kChunked)) return;
  require(accepts, "llhttp refuses it");
  // Of an upgrade, llhttp leaves the content to the other protocol.
  if (error == HPE_PAUSED_UPGRADE && !told.complete) return;
  require(told.complete, "llhttp wants more");
  require(llhttp_get_error_pos(&parser) == raw.data() + raw.size(), "llhttp sees another end");
  const size_t content_bytes = message.size() - found.facts.head_bytes - found.facts.trailer_bytes;
  require(told.content == message.substr(found.facts.head_bytes, content_bytes),
          "llhttp sees another content");
  const std::string_view whole = message.substr(
      found.facts.target_at, size_t{found.facts.path_bytes} + found.facts.query_bytes);
  require(std::string_view(told.target).ends_with(whole), "llhttp sees another target");
}

void read_beside_llhttp(std::string_view stream, const http::MessageLimits& limits) {
  using Kind = http::MessageReader::Kind;
  http::MessageReader reader;
  std::string_view message = stream;  // what belongs to the one that is read
  while (true) {
    std::string input(stream);
    const auto found = reader.read({input.data(), input.size()}, limits);
    const bool goes_on = found.kind == Kind::kMessage || found.kind == Kind::kPart;
    if (!goes_on) return;
    require(found.consumed > 0 && found.consumed <= stream.size(), "it consumes what is not there");
    require(reader.bytes_held() <= 40'000 + limits.content_bytes_max, "it keeps too much");
    stream.remove_prefix(found.consumed);
    if (found.kind == Kind::kMessage) {
      compare(std::string(message.substr(0, message.size() - stream.size())), found);
    }
    if (found.kind == Kind::kMessage || !reader.in_message()) message = stream;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  http::MessageLimits limits;
  limits.content_bytes_max = 4096;
  const std::string whole = http_tests::read_whole(stream, limits);
  trireme::Random random(data[0]);
  const std::string cut = http_tests::read_all(stream, limits, [&] { return 1 + random.below(7); });
  require(whole == cut, "the requests depend on where the stream is cut");
  read_beside_llhttp(stream, limits);
  return 0;
}
