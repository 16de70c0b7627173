#include "http/serving/codec.h"

#include <algorithm>

namespace trireme { inline namespace v0 { namespace http {

namespace {

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

constexpr uint64_t kUnreadBytesMax = 64 << 10;

int status_of(const FailedRequest& failed) {
  if (failed.code != 0) return static_cast<int>(failed.code);
  switch (failed.failure) {
    case Failure::kBusy:
    case Failure::kDeadline:
      return 503;
    case Failure::kTooLong:
      return 413;
    case Failure::kRefused:
      return 400;
    case Failure::kTimeout:
      return 408;
    default:
      return 500;
  }
}

}  // namespace

Refusal HttpDecoder::judge(std::string_view head, const MessageFacts& facts,
                           uint64_t& content_bytes_max) {
  kind_ = core_.kind_of(facts.path_of(head), facts.method, head.substr(0, head.find(' ')));
  const Route* const route = core_.route_of(kind_);
  // What nobody reads need not come whole, unless it is short.
  names_nothing_ = route == nullptr && !core_.has_path(facts.path_of(head));
  if (route == nullptr) content_bytes_max = std::min(content_bytes_max, kUnreadBytesMax);
  if (route != nullptr && route->options.body_bytes_max) {
    content_bytes_max = std::min<uint64_t>(content_bytes_max, *route->options.body_bytes_max);
  }
  return {};
}

void HttpDecoder::refuse(const MessageReader::Found& found, DecodedFrame& out) const {
  out.kind = Frame::Kind::kFatal;
  out.payload = found.refusal.reason;
  out.code = found.refusal.status;
  if (out.code == 413 && names_nothing_) {
    out.code = 404;
    out.payload = {};
  }
  out.failure = out.code == 413 ? Failure::kTooLong : Failure::kRefused;
  out.tag = ReplyTag::of(found.facts);
}

void HttpDecoder::decode(std::span<char> input, bool ended, size_t frame_bytes_max,
                         DecodedFrame& out) {
  MessageLimits limits;
  limits.head = core_.limits();
  limits.content_bytes_max = frame_bytes_max;
  MessageReader::Found found = reader_.read(input, limits, this);
  out.consumed = found.consumed;
  if (found.wants_continue) out.reply = kContinue;
  switch (found.kind) {
    case MessageReader::Kind::kRefused:
      return refuse(found, out);
    case MessageReader::Kind::kMessage:
      out.kind = Frame::Kind::kRequest;
      out.payload = found.message;
      out.owned = std::move(found.owned);
      out.request_kind = kind_;
      out.tag = ReplyTag::of(found.facts);
      return;
    case MessageReader::Kind::kPart:
      out.kind = Frame::Kind::kSkip;
      return;
    case MessageReader::Kind::kNobody:
      out.kind = Frame::Kind::kGoodbye;
      return;
    case MessageReader::Kind::kMore:
      out.kind = ended ? Frame::Kind::kEnd : Frame::Kind::kIncomplete;
      if (ended) out.consumed = input.size();
      return;
  }
}

// Places in a head have 16 bits.
std::string HttpCodec::problem(size_t) const {
  constexpr uint32_t kMax = UINT16_MAX;
  const HeadLimits& limits = core_->limits();
  if (limits.line_bytes_max <= kMax && limits.head_bytes_max <= kMax) return {};
  return "ServeOptions::line_bytes_max and head_bytes_max are at most " + std::to_string(kMax);
}

ErrorReply HttpCodec::error_reply(const FailedRequest& failed) const {
  ReplyFraming framing = ReplyFraming::of(failed.tag.as<MessageFacts>());
  const bool refused = failed.failure == Failure::kRefused || failed.failure == Failure::kTooLong ||
                       failed.failure == Failure::kTimeout;
  framing.closes = framing.closes || refused;
  // What a handler has thrown is not the client's to know.
  const std::string_view detail =
      refused || failed.failure == Failure::kHandler ? failed.sentence : std::string_view();
  ErrorReply reply;
  reply.body = core_->error_text(status_of(failed), detail, framing);
  reply.close = framing.closes;
  reply.is_framed = true;
  return reply;
}

std::string HttpCodec::last_words(CloseReason reason) const {
  ReplyFraming framing;
  framing.closes = true;
  if (reason == CloseReason::kRequestTimeout) return core_->error_text(408, {}, framing);
  if (reason == CloseReason::kLayerFailed)
    return core_->error_text(400, "this port speaks HTTPS", framing);
  return {};
}

}}}  // namespace trireme::http
