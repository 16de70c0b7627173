#include "load/websocket_reply.h"

#include <algorithm>
#include <cstring>

namespace load {
namespace {

constexpr unsigned kFinal = 0x80;
constexpr unsigned kReserved = 0x70;
constexpr unsigned kMasked = 0x80;
constexpr size_t kControlBytesMax = 125;

bool is_control(unsigned opcode) { return opcode >= 8; }

}  // namespace

void append_client_frame(WebSocketOpcode opcode, std::string_view payload, uint32_t key,
                         std::string& into) {
  const uint64_t size = payload.size();
  into += static_cast<char>(kFinal | static_cast<unsigned>(opcode));
  int length_bytes = 0;
  if (size < 126) {
    into += static_cast<char>(kMasked | size);
  } else {
    length_bytes = size < 65536 ? 2 : 8;
    into += static_cast<char>(kMasked | (length_bytes == 2 ? 126 : 127));
  }
  for (int i = length_bytes - 1; i >= 0; --i) into += static_cast<char>(size >> (8 * i));
  std::array<char, 4> mask;
  std::memcpy(mask.data(), &key, mask.size());
  into.append(mask.data(), mask.size());
  const size_t begin = into.size();
  into.append(payload);
  const uint64_t twice = uint64_t{key} << 32 | key;
  size_t at = 0;
  for (uint64_t word = 0; at + sizeof word <= payload.size(); at += sizeof word) {
    std::memcpy(&word, payload.data() + at, sizeof word);
    word ^= twice;
    std::memcpy(&into[begin + at], &word, sizeof word);
  }
  for (; at < payload.size(); ++at) {
    into[begin + at] = static_cast<char>(payload[at] ^ mask[at % 4]);
  }
}

WebSocketReader::Found WebSocketReader::next(std::string_view& bytes) {
  if (!in_payload_) {
    if (!take_head(bytes)) return Found::kMore;
    if (!read_head()) return Found::kFault;
    in_payload_ = true;
  }
  return take_payload(bytes);
}

bool WebSocketReader::take_head(std::string_view& bytes) {
  for (;;) {
    size_t wanted = 2;
    if (head_bytes_ >= 2) wanted += head_[1] == 126 ? 2 : head_[1] == 127 ? 8 : 0;
    if (head_bytes_ == wanted) return true;
    if (bytes.empty()) return false;
    head_[head_bytes_++] = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
  }
}

bool WebSocketReader::read_head() {
  const unsigned opcode = head_[0] & 0x0f;
  left_ = head_[1];
  if (head_bytes_ > 2) left_ = 0;
  for (size_t i = 2; i < head_bytes_; ++i) left_ = left_ << 8 | head_[i];
  if ((head_[0] & kReserved) != 0 || (head_[1] & kMasked) != 0) return false;
  if (is_control(opcode)) {
    control_.clear();
    return opcode <= 10 && (head_[0] & kFinal) != 0 && left_ <= kControlBytesMax;
  }
  if (opcode > 2 || in_message_ != (opcode == 0)) return false;
  if (opcode != 0) {
    message_bytes_ = 0;
    is_text_ = opcode == 1;
  }
  in_message_ = true;
  return true;
}

WebSocketReader::Found WebSocketReader::take_payload(std::string_view& bytes) {
  if (left_ == 0) return end_frame();
  if (bytes.empty()) return Found::kMore;
  const std::string_view piece = bytes.substr(0, std::min<uint64_t>(left_, bytes.size()));
  bytes.remove_prefix(piece.size());
  left_ -= piece.size();
  if (is_control(head_[0] & 0x0f)) {
    control_.append(piece);
    return take_payload(bytes);
  }
  message_bytes_ += piece.size();
  payload_ = piece;
  return Found::kPayload;
}

WebSocketReader::Found WebSocketReader::end_frame() {
  const auto opcode = static_cast<WebSocketOpcode>(head_[0] & 0x0f);
  const bool is_last = (head_[0] & kFinal) != 0;
  in_payload_ = false;
  head_bytes_ = 0;
  payload_ = control_;
  switch (opcode) {
    case WebSocketOpcode::kClose:
      return Found::kClose;
    case WebSocketOpcode::kPing:
      return Found::kPing;
    case WebSocketOpcode::kPong:
      break;  // nobody has asked; RFC 6455, 5.5.3 allows it
    case WebSocketOpcode::kContinuation:
    case WebSocketOpcode::kText:
    case WebSocketOpcode::kBinary:
      payload_ = {};
      if (is_last) {
        in_message_ = false;
        return Found::kMessage;
      }
      break;
  }
  payload_ = {};
  return Found::kPayload;  // of nothing: the caller goes on
}

}  // namespace load
