#include "http/message/chunked_content.h"

#include <algorithm>
#include <cstring>

#include "http/message/characters.h"

namespace trireme { inline namespace v0 { namespace http {

namespace {

constexpr uint8_t kDigitsMax = 16;

bool is_blank(char byte) { return byte == ' ' || byte == '\t'; }

}  // namespace

bool ChunkedContent::refuse(uint16_t status, std::string_view reason) {
  refusal_ = {status, reason};
  return false;
}

bool ChunkedContent::size_step(char byte, const ChunkLimits& limits) {
  const int digit = hex_value(byte);
  if (digit >= 0) {
    if (++digits_ > kDigitsMax) return refuse(400, "an invalid chunk size");
    left_ = left_ * 16 + static_cast<uint64_t>(digit);
    if (left_ > limits.content_bytes_max || content_bytes_ + left_ > limits.content_bytes_max) {
      return refuse(413, "the content is too long");
    }
    return next(State::kSize);
  }
  if (state_ == State::kSize) {
    if (byte == '\r') return next(State::kLineFeed);
    if (byte == ';') return next(State::kNameBegin);
    if (is_blank(byte)) return next(State::kBehindSize);
  }
  return refuse(400, "an invalid chunk size");
}

// From behind the size to the end of the line.
bool ChunkedContent::extension_step(char byte, const ChunkLimits& limits) {
  if (++extension_bytes_ > limits.extension_bytes_max) {
    return refuse(400, "too many chunk extensions");
  }
  const bool blank = is_blank(byte);
  const bool token = is_of(byte, kTokenCharacter);
  switch (state_) {
    case State::kBehindSize:
      if (blank) return true;
      if (byte == ';') return next(State::kNameBegin);
      break;
    case State::kNameBegin:
      if (blank) return true;
      if (token) return next(State::kName);
      break;
    case State::kName:
      if (token) return true;
      if (blank) return next(State::kBehindName);
      if (byte == '=') return next(State::kValueBegin);
      if (byte == ';') return next(State::kNameBegin);
      if (byte == '\r') return next(State::kLineFeed);
      break;
    case State::kBehindName:
      if (blank) return true;
      if (byte == '=') return next(State::kValueBegin);
      if (byte == ';') return next(State::kNameBegin);
      break;
    case State::kValueBegin:
      if (blank) return true;
      if (byte == '"') return next(State::kQuoted);
      if (token) return next(State::kValue);
      break;
    case State::kValue:
      if (token) return true;
      if (blank) return next(State::kBehindValue);
      if (byte == ';') return next(State::kNameBegin);
      if (byte == '\r') return next(State::kLineFeed);
      break;
    case State::kQuoted:
      if (byte == '"') return next(State::kBehindQuoted);
      if (byte == '\\') return next(State::kEscaped);
      if (is_of(byte, kValueCharacter)) return true;
      break;
    case State::kEscaped:
      if (is_of(byte, kValueCharacter)) return next(State::kQuoted);
      break;
    case State::kBehindQuoted:
      if (byte == '\r') return next(State::kLineFeed);
      [[fallthrough]];
    case State::kBehindValue:
      if (blank) return next(State::kBehindValue);
      if (byte == ';') return next(State::kNameBegin);
      break;
    default:
      break;
  }
  return refuse(400, "an invalid chunk extension");
}

bool ChunkedContent::trailer_step(char byte, const ChunkLimits& limits) {
  const State before = state_;
  if (state_ == State::kLineBegin && byte == '\r') return next(State::kFinalFeed);
  if (++trailer_bytes_ > limits.trailer_bytes_max) return refuse(431, "the trailers are too long");
  switch (before) {
    case State::kLineBegin:
      if (is_of(byte, kTokenCharacter)) return next(State::kFieldName);
      break;
    case State::kFieldName:
      if (is_of(byte, kTokenCharacter)) return true;
      if (byte == ':') return next(State::kFieldValue);
      break;
    case State::kFieldValue:
      if (byte == '\r') return next(State::kFieldFeed);
      if (is_of(byte, kValueCharacter)) return true;
      break;
    default:
      if (byte == '\n') return next(State::kLineBegin);
      break;
  }
  return refuse(400, "an invalid trailer section");
}

bool ChunkedContent::step(char byte, const ChunkLimits& limits) {
  switch (state_) {
    case State::kSizeBegin:
    case State::kSize:
      return size_step(byte, limits);
    case State::kLineFeed:
      if (byte != '\n') return refuse(400, "an invalid chunk line");
      digits_ = 0;
      return next(left_ == 0 ? State::kLineBegin : State::kData);
    case State::kDataReturn:
      if (byte != '\r') return refuse(400, "a chunk without its line end");
      return next(State::kDataFeed);
    case State::kDataFeed:
      if (byte != '\n') return refuse(400, "a chunk without its line end");
      return next(State::kSizeBegin);
    case State::kLineBegin:
    case State::kFieldName:
    case State::kFieldValue:
    case State::kFieldFeed:
      return trailer_step(byte, limits);
    case State::kFinalFeed:
      if (byte != '\n') return refuse(400, "an invalid trailer section");
      return next(State::kDone);
    default:
      return extension_step(byte, limits);
  }
}

ChunkedContent::Outcome ChunkedContent::decode(std::span<char> buffer, size_t& read,
                                               size_t& written, const ChunkLimits& limits) {
  if (refusal_) return Outcome::kRefused;
  while (read < buffer.size()) {
    if (state_ == State::kData) {
      const auto bytes = static_cast<size_t>(std::min<uint64_t>(left_, buffer.size() - read));
      std::memmove(buffer.data() + written, buffer.data() + read, bytes);
      read += bytes;
      written += bytes;
      content_bytes_ += bytes;
      left_ -= bytes;
      if (left_ == 0) state_ = State::kDataReturn;
      continue;
    }
    const char byte = buffer[read];
    const uint32_t trailer_before = trailer_bytes_;
    if (!step(byte, limits)) return Outcome::kRefused;
    ++read;
    if (trailer_bytes_ != trailer_before) buffer[written++] = byte;
    if (state_ == State::kDone) return Outcome::kDone;
  }
  return Outcome::kMore;
}

}}}  // namespace trireme::http
