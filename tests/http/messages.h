// What tests of the message reader share: a stream of bytes as the requests that it is read as.
#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "http/message/message_reader.h"

namespace http_tests {

inline std::string_view text_of(const trireme::http::MessageReader::Found& found) {
  return found.owned.empty() ? found.message : std::string_view(found.owned);
}

// Each message on a line of its own: "facts: bytes", a refusal as "!status reason". Pieces:
// the bytes of the stream that arrive before each call of the reader.
inline std::string read_all(std::string_view stream, const trireme::http::MessageLimits& limits,
                            const std::function<size_t()>& next_piece) {
  namespace http = trireme::http;
  using Kind = http::MessageReader::Kind;
  http::MessageReader reader;
  std::string waiting, told;
  while (!stream.empty()) {
    const size_t piece = std::min(stream.size(), next_piece());
    waiting += stream.substr(0, piece);
    stream.remove_prefix(piece);
    while (true) {
      // In memory of its own size, at another place each time: the sanitizer sees what is read
      // behind it, and nothing may depend on where it is.
      std::vector<char> input(waiting.begin(), waiting.end());
      auto found = reader.read({input.data(), input.size()}, limits);
      waiting.assign(input.begin(), input.end());
      if (found.kind == Kind::kMore) break;
      if (found.kind == Kind::kNobody) return told + "nobody";
      if (found.kind == Kind::kRefused) {
        return told + "!" + std::to_string(found.refusal.status) + " " +
               std::string(found.refusal.reason) + "\n";
      }
      if (found.kind == Kind::kMessage) {
        const http::MessageFacts& facts = found.facts;
        const std::string_view message = text_of(found);
        told += std::to_string(static_cast<int>(facts.method)) + " " +
                std::to_string(facts.head_bytes) + " " + std::string(facts.path_of(message)) + " " +
                std::string(facts.query_of(message)) + " " + std::to_string(facts.flags) + " " +
                std::to_string(facts.trailer_bytes) + ": " + std::string(message) + "\n";
      }
      waiting.erase(0, found.consumed);
      if (waiting.empty()) break;
    }
  }
  return told + (reader.in_message() ? "rest" : "");
}

inline std::string read_whole(std::string_view stream,
                              const trireme::http::MessageLimits& limits = {}) {
  return read_all(stream, limits, [] { return ~size_t{0}; });
}

}  // namespace http_tests
