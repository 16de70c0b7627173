#include "http/websocket/frames.h"

#include <algorithm>
#include <cstring>

namespace trireme { inline namespace v0 { namespace http {

namespace {

constexpr uint8_t kFinal = 0x80;
constexpr uint8_t kCompressed = 0x40;  // RSV1, RFC 7692
constexpr uint8_t kOtherReserved = 0x30;
constexpr uint8_t kMasked = 0x80;
constexpr uint64_t kControlBytesMax = 125;
constexpr size_t kReasonBytesMax = 123;
constexpr uint16_t kNoCode = 1005;

uint8_t byte_at(std::span<const char> bytes, size_t index) {
  return static_cast<uint8_t>(bytes[index]);
}

bool is_known(uint8_t opcode) { return opcode <= 2 || (opcode >= 8 && opcode <= 10); }

// Bytes of the length behind the first two: 0, 2 or 8.
size_t length_bytes(uint8_t second) {
  const int length = second & 127;
  return length < 126 ? 0 : length == 126 ? 2 : 8;
}

}  // namespace

size_t put_frame_head(Opcode opcode, bool compressed, uint64_t payload_bytes, char* into) {
  into[0] = static_cast<char>(kFinal | (compressed ? kCompressed : 0) | static_cast<int>(opcode));
  if (payload_bytes < 126) {
    into[1] = static_cast<char>(payload_bytes);
    return 2;
  }
  const size_t bytes = payload_bytes < 65'536 ? 2 : 8;
  into[1] = bytes == 2 ? 126 : 127;
  for (size_t i = 0; i < bytes; ++i) {
    into[2 + i] = static_cast<char>(payload_bytes >> (8 * (bytes - 1 - i)));
  }
  return 2 + bytes;
}

std::string frame_of(Opcode opcode, std::string_view payload, bool compressed) {
  std::array<char, kFrameHeadBytesMax> head;
  const size_t bytes = put_frame_head(opcode, compressed, payload.size(), head.data());
  std::string frame;
  frame.reserve(bytes + payload.size());
  frame.append(head.data(), bytes).append(payload);
  return frame;
}

std::string close_frame(uint16_t code, std::string_view reason) {
  if (reason.size() > kReasonBytesMax) {
    size_t end = kReasonBytesMax;
    while (end > 0 && (static_cast<uint8_t>(reason[end]) & 0xc0) == 0x80) --end;
    reason = reason.substr(0, end);
  }
  std::string payload{static_cast<char>(code >> 8), static_cast<char>(code & 255)};
  return frame_of(Opcode::kClose, payload.append(reason));
}

void unmask(std::span<char> bytes, const std::array<char, 4>& mask, uint64_t offset) {
  std::array<char, 8> turned;
  for (size_t i = 0; i < turned.size(); ++i) turned[i] = mask[(offset + i) % 4];
  uint64_t word_mask;
  std::memcpy(&word_mask, turned.data(), sizeof(word_mask));
  size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    uint64_t word;
    std::memcpy(&word, bytes.data() + i, sizeof(word));
    word ^= word_mask;
    std::memcpy(bytes.data() + i, &word, sizeof(word));
  }
  for (; i < bytes.size(); ++i) bytes[i] = static_cast<char>(bytes[i] ^ turned[i % 8]);
}

FrameReader::Found FrameReader::fail(uint16_t code) {
  Found found;
  found.kind = Kind::kFailed;
  found.code = code;
  return found;
}

// By its first bytes: what is wrong is not waited for.
uint16_t FrameReader::judge(std::span<const char> input, const FrameLimits& limits) const {
  if (input.empty()) return 0;
  const uint8_t first = byte_at(input, 0);
  const uint8_t opcode = first & 15;
  const bool control = (opcode & 8) != 0;
  const bool begins = opcode == 1 || opcode == 2;
  if (!is_known(opcode) || (first & kOtherReserved) != 0) return kCloseProtocolError;
  if ((first & kCompressed) != 0 && (!limits.deflate || !begins)) return kCloseProtocolError;
  if (control && (first & kFinal) == 0) return kCloseProtocolError;
  if ((begins && fragmented_) || (opcode == 0 && !fragmented_)) return kCloseProtocolError;
  if (input.size() < 2) return 0;
  const uint8_t second = byte_at(input, 1);
  if ((second & kMasked) == 0) return kCloseProtocolError;
  if (control && (second & 127) > kControlBytesMax) return kCloseProtocolError;
  const size_t width = length_bytes(second);
  if (width == 0 || input.size() < 2 + width) return 0;
  uint64_t length = 0;
  for (size_t i = 0; i < width; ++i) length = length << 8 | byte_at(input, 2 + i);
  const bool shortest = width == 2 ? length > kControlBytesMax : length > 0xffff;
  return !shortest || length >> 63 != 0 ? kCloseProtocolError : 0;
}

bool FrameReader::read_head(std::span<const char> input, Head& head) const {
  if (input.size() < 2) return false;
  const uint8_t second = byte_at(input, 1);
  const size_t width = length_bytes(second);
  head.bytes = 2 + width + head.mask.size();
  if (input.size() < 2 + width) return false;
  head.first = byte_at(input, 0);
  head.payload_bytes = width == 0 ? second & 127 : 0;
  for (size_t i = 0; i < width; ++i) {
    head.payload_bytes = head.payload_bytes << 8 | byte_at(input, 2 + i);
  }
  if (input.size() < head.bytes) return false;
  std::memcpy(head.mask.data(), input.data() + 2 + width, head.mask.size());
  return true;
}

FrameReader::Found FrameReader::read(std::span<char> input, const FrameLimits& limits) {
  if (in_frame_) return input.empty() ? Found{} : read_payload(input, 0);
  if (const uint16_t code = judge(input, limits); code != 0) return fail(code);
  Head head;
  const bool whole = read_head(input, head);
  const bool has_length = input.size() >= 2 && input.size() >= head.bytes - head.mask.size();
  if (has_length && !head.is_control() &&
      head.payload_bytes > limits.message_bytes_max -
                               std::min<uint64_t>(message_.size(), limits.message_bytes_max)) {
    return fail(kCloseTooBig);
  }
  if (!whole) return {};
  if (head.is_control()) return read_control(input, head);
  return begin_data(input, head, limits);
}

FrameReader::Found FrameReader::read_control(std::span<char> input, const Head& head) {
  const auto payload_bytes = static_cast<size_t>(head.payload_bytes);
  if (input.size() < head.bytes + payload_bytes) return {};
  const std::span<char> payload = input.subspan(head.bytes, payload_bytes);
  unmask(payload, head.mask, 0);
  const std::string_view text(payload.data(), payload.size());
  const size_t consumed = head.bytes + payload_bytes;
  if (head.opcode() == Opcode::kClose) return read_close(text, consumed);
  Found found;
  found.kind = head.opcode() == Opcode::kPing ? Kind::kPing : Kind::kPart;
  found.consumed = consumed;
  found.payload = text;
  return found;
}

FrameReader::Found FrameReader::read_close(std::string_view payload, size_t consumed) {
  Found found;
  found.kind = Kind::kClose;
  found.code = kNoCode;
  found.consumed = consumed;
  if (payload.empty()) return found;
  if (payload.size() < 2) return fail(kCloseProtocolError);
  found.code = static_cast<uint16_t>(byte_at(payload, 0) << 8 | byte_at(payload, 1));
  found.payload = payload.substr(2);
  if (!is_close_code(found.code)) return fail(kCloseProtocolError);
  Utf8 utf8;
  if (!utf8.take(found.payload) || !utf8.is_whole()) return fail(kCloseInvalidData);
  return found;
}

FrameReader::Found FrameReader::begin_data(std::span<char> input, const Head& head,
                                           const FrameLimits& limits) {
  if (head.opcode() != Opcode::kContinuation) {
    text_ = head.opcode() == Opcode::kText;
    compressed_ = limits.deflate && (head.first & kCompressed) != 0;
    utf8_.reset();
  }
  const bool alone = head.opcode() != Opcode::kContinuation && head.is_final();
  if (alone && input.size() - head.bytes >= head.payload_bytes) {
    const std::span<char> payload =
        input.subspan(head.bytes, static_cast<size_t>(head.payload_bytes));
    unmask(payload, head.mask, 0);
    Found found;
    found.payload = {payload.data(), payload.size()};
    if (text_ && !compressed_ && (!utf8_.take(found.payload) || !utf8_.is_whole())) {
      return fail(kCloseInvalidData);
    }
    found.kind = Kind::kMessage;
    found.text = text_;
    found.compressed = compressed_;
    found.consumed = head.bytes + payload.size();
    return found;
  }
  frame_ = head;
  frame_done_ = 0;
  in_frame_ = true;
  return read_payload(input, head.bytes);
}

// What has come of the payload of frame_, behind `head_bytes` of its head.
FrameReader::Found FrameReader::read_payload(std::span<char> input, size_t head_bytes) {
  const auto bytes = static_cast<size_t>(
      std::min<uint64_t>(frame_.payload_bytes - frame_done_, input.size() - head_bytes));
  const std::span<char> payload = input.subspan(head_bytes, bytes);
  unmask(payload, frame_.mask, frame_done_);
  frame_done_ += bytes;
  const std::string_view piece(payload.data(), payload.size());
  if (text_ && !compressed_ && !utf8_.take(piece)) return fail(kCloseInvalidData);
  message_.append(piece);
  Found found;
  found.kind = Kind::kPart;
  found.consumed = head_bytes + bytes;
  if (frame_done_ < frame_.payload_bytes) return found;
  in_frame_ = false;
  fragmented_ = !frame_.is_final();
  return fragmented_ ? found : end_message(found.consumed);
}

FrameReader::Found FrameReader::end_message(size_t consumed) {
  if (text_ && !compressed_ && !utf8_.is_whole()) return fail(kCloseInvalidData);
  Found found;
  found.kind = Kind::kMessage;
  found.text = text_;
  found.compressed = compressed_;
  found.consumed = consumed;
  found.owned = std::move(message_);
  message_ = std::string();
  return found;
}

}}}  // namespace trireme::http
