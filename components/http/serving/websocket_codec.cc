#include "http/serving/websocket_codec.h"

#include <algorithm>
#include <stdexcept>

namespace trireme { inline namespace v0 { namespace http {

namespace {

constexpr uint16_t kNoCode = 1005;
constexpr uint16_t kTryAgainLater = 1013;

// Of a message, on both sides of inflating: what takes longer than some 100 us is no work for a
// loop. Most messages are shorter, and then a wrong one ends the connection where it stands.
constexpr uint64_t kInflatedByLoopMax = 64 << 10;

// The code of what is wrong with a message; 0: `inflated` is it.
uint16_t inflate(const WebSocketRoute& route, std::string_view payload, const MessageTag& tag,
                 std::string& inflated) {
  switch (route.deflating.inflate_message(payload, static_cast<size_t>(tag.bytes_max), inflated)) {
    case Deflating::Outcome::kTooBig:
      return kCloseTooBig;
    case Deflating::Outcome::kCorrupt:
      return kCloseInvalidData;
    case Deflating::Outcome::kDone:
      break;
  }
  Utf8 utf8;
  const bool is_good = !tag.is_text || (utf8.take(inflated) && utf8.is_whole());
  return is_good ? 0 : kCloseInvalidData;
}

}  // namespace

std::string detail::WebSocketShared::frame(Opcode opcode, std::string_view bytes) const {
  if (!deflate_ || bytes.size() < route_->options.deflate_bytes_min) {
    return frame_of(opcode, bytes);
  }
  const std::string deflated =
      route_->deflating.deflate_message(bytes, deflate_->server_window_bits);
  if (deflated.size() >= bytes.size()) return frame_of(opcode, bytes);
  return frame_of(opcode, deflated, true);
}

const SharedBytes& detail::PreparedFrames::deflated(Deflating& deflating) const {
  std::call_once(once_, [&] {
    const std::string_view message = plain_.view().substr(plain_.size() - message_bytes_);
    std::string payload = deflating.deflate_message(message, 15);
    if (payload.size() < message_bytes_) deflated_ = SharedBytes(frame_of(opcode_, payload, true));
  });
  return deflated_;
}

Broadcast Broadcast::text(std::string_view text) {
  return Broadcast(std::make_shared<const detail::PreparedFrames>(Opcode::kText, text));
}

Broadcast Broadcast::binary(std::string_view bytes) {
  return Broadcast(std::make_shared<const detail::PreparedFrames>(Opcode::kBinary, bytes));
}

bool detail::WebSocketShared::close(std::string words) const {
  const std::lock_guard lock(words_mutex_);
  if (closing_.exchange(true, std::memory_order_relaxed)) return false;
  words_ = std::move(words);
  return true;
}

std::string detail::WebSocketShared::last_words() const {
  const std::lock_guard lock(words_mutex_);
  return words_;
}

SendResult WebSocket::send(const Broadcast& message, Overflow overflow) const {
  if (shared_->is_closing()) return SendResult::kClosed;
  const detail::PreparedFrames& frames = *message.frames_;
  const WebSocketRoute& route = shared_->route();
  if (shared_->deflates_fully() && frames.message_bytes() >= route.options.deflate_bytes_min) {
    const SharedBytes& deflated = frames.deflated(route.deflating);
    if (!deflated.empty()) return peer_.send(deflated, overflow);
  }
  return peer_.send(frames.plain(), overflow);
}

SendResult WebSocket::send_text(std::string_view text, Overflow overflow) const {
  if (shared_->is_closing()) return SendResult::kClosed;
  return peer_.send(shared_->frame(Opcode::kText, text), overflow);
}

SendResult WebSocket::send_binary(std::string_view bytes, Overflow overflow) const {
  if (shared_->is_closing()) return SendResult::kClosed;
  return peer_.send(shared_->frame(Opcode::kBinary, bytes), overflow);
}

void WebSocket::close(uint16_t code, std::string_view reason) const {
  Utf8 utf8;
  if (!is_close_code(code)) throw std::invalid_argument("no server closes with that code");
  if (!utf8.take(reason) || !utf8.is_whole()) {
    throw std::invalid_argument("the reason of a close is UTF-8");
  }
  if (shared_->close(close_frame(code, reason))) peer_.close();
}

CallResult WebSocket::after(std::chrono::nanoseconds time, uint64_t tag) const {
  if (tag >= kTagsEnd) throw std::invalid_argument("the tag of a timer is below kTagsEnd");
  return peer_.after(time, tag);
}

const std::string& WebSocket::subprotocol() const { return shared_->subprotocol(); }

void WebSocketDecoder::fail(uint16_t code, DecodedFrame& out) {
  out.kind = Frame::Kind::kFatal;
  out.payload = {};
  out.code = code;
  out.failure = code == kCloseTooBig ? Failure::kTooLong : Failure::kRefused;
}

void WebSocketDecoder::take_message(FrameReader::Found& found, uint64_t bytes_max,
                                    DecodedFrame& out) const {
  out.kind = Frame::Kind::kRequest;
  out.request_kind = kind_;
  out.tag = ReplyTag::of(MessageTag{found.text, found.compressed, bytes_max});
  out.payload = found.payload;
  out.owned = std::move(found.owned);
  const std::string_view payload = out.owned.empty() ? out.payload : std::string_view(out.owned);
  if (!found.compressed || payload.size() > kInflatedByLoopMax) return;
  std::string inflated;
  const uint16_t code =
      inflate(shared_->route(), payload,
              {found.text, true, std::min<uint64_t>(bytes_max, kInflatedByLoopMax)}, inflated);
  if (code == kCloseTooBig && bytes_max > kInflatedByLoopMax) return;
  if (code != 0) return fail(code, out);
  out.tag = ReplyTag::of(MessageTag{found.text});
  out.owned = std::move(inflated);
  if (out.owned.empty()) out.payload = {};
}

void WebSocketDecoder::decode(std::span<char> input, bool ended, size_t frame_bytes_max,
                              DecodedFrame& out) {
  FrameLimits limits;
  limits.message_bytes_max =
      std::min<uint64_t>(shared_->route().options.message_bytes_max, frame_bytes_max);
  limits.deflate = shared_->deflates();
  if (!input.empty()) shared_->note_heard();
  FrameReader::Found found = reader_.read(input, limits);
  out.consumed = found.consumed;
  switch (found.kind) {
    case FrameReader::Kind::kMore:
      out.kind = ended ? Frame::Kind::kEnd : Frame::Kind::kIncomplete;
      if (ended) out.consumed = input.size();
      return;
    case FrameReader::Kind::kPart:
      out.kind = Frame::Kind::kSkip;
      return;
    case FrameReader::Kind::kPing:
      out.kind = Frame::Kind::kSkip;
      out.at_once = frame_of(Opcode::kPong, found.payload);
      return;
    case FrameReader::Kind::kMessage:
      return take_message(found, limits.message_bytes_max, out);
    case FrameReader::Kind::kClose:
      out.kind = Frame::Kind::kGoodbye;
      out.reply = found.code == kNoCode ? frame_of(Opcode::kClose, {}) : close_frame(found.code);
      return;
    case FrameReader::Kind::kFailed:
      return fail(found.code, out);
  }
}

ErrorReply WebSocketCodec::error_reply(const FailedRequest& failed) const {
  uint16_t code = kCloseInternal;
  if (failed.failure == Failure::kBusy) code = kTryAgainLater;
  if (failed.code != 0) code = static_cast<uint16_t>(failed.code);
  ErrorReply reply;
  reply.body = close_frame(code);
  reply.close = true;
  reply.is_framed = true;
  return reply;
}

std::string WebSocketCodec::last_words(CloseReason reason) const {
  switch (reason) {
    case CloseReason::kClosedByHandler:
      return shared_->last_words();
    case CloseReason::kDrained:
    case CloseReason::kIdleTimeout:
      return shared_->is_closing() ? shared_->last_words() : close_frame(kCloseGoingAway);
    case CloseReason::kRequestTimeout:
      return close_frame(kClosePolicy);
    default:
      return {};
  }
}

void WebSocketUpgraded::set_ping_timer() const {
  const auto time = shared_->route().options.ping_time;
  if (time > time.zero()) static_cast<void>(peer_.after(time, kPingTag));
}

void WebSocketUpgraded::on_timer(uint64_t tag) {
  if (tag != kPingTag) return session_->on_timer(tag);
  if (!shared_->take_heard()) return peer_.close();
  static_cast<void>(peer_.send(frame_of(Opcode::kPing, {})));
  set_ping_timer();
}

void WebSocketUpgraded::on_request(const trireme::Request& request,
                                   trireme::detail::Responder& responder) {
  const MessageTag tag = request.tag().as<MessageTag>();
  std::string inflated;
  if (tag.is_deflated) {
    const uint16_t code = inflate(shared_->route(), request.text(), tag, inflated);
    if (code != 0) return responder.answer(trireme::error("", code));
  }
  const Message message{tag.is_deflated ? std::string_view(inflated) : request.text(), tag.is_text};
  Outgoing answer("");
  if (!session_->on_message(message, answer)) return responder.answer(no_answer());
  const Opcode opcode = answer.is_text ? Opcode::kText : Opcode::kBinary;
  constexpr size_t kSmallBytes = 1024;
  const bool deflates =
      shared_->deflates() && answer.bytes.size() >= shared_->route().options.deflate_bytes_min;
  if (deflates || answer.bytes.size() > kSmallBytes - kFrameHeadBytesMax) {
    return responder.answer(Answer(shared_->frame(opcode, answer.bytes)));
  }
  char buffer[kSmallBytes];
  const size_t head = put_frame_head(opcode, false, answer.bytes.size(), buffer);
  answer.bytes.copy(buffer + head, answer.bytes.size());
  responder.answer(Answer(borrow({buffer, head + answer.bytes.size()})));
}

}}}  // namespace trireme::http
