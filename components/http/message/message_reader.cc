#include "http/message/message_reader.h"

#include <utility>

namespace trireme { inline namespace v0 { namespace http {

MessageReader::Found MessageReader::refuse(const Refusal& refusal) const {
  Found found;
  found.kind = Kind::kRefused;
  found.refusal = refusal;
  found.facts = facts_;
  return found;
}

MessageReader::Found MessageReader::read(std::span<char> input, const MessageLimits& limits,
                                         HeadJudge* judge) {
  seen_ = input.size();
  if (phase_ == Phase::kContent) return read_content(input);
  if (phase_ == Phase::kChunks) return read_chunks(input);
  if (!input.empty() && input[0] == '\r') return read_empty_line(input, limits);
  return read_head_of(input, limits, judge);
}

// RFC 9112, 2.2: some clients send one behind the content of a POST.
MessageReader::Found MessageReader::read_empty_line(std::span<char> input,
                                                    const MessageLimits& limits) {
  if (input.size() < 2) return {};
  if (input[1] != '\n') return refuse({400, "a carriage return alone"});
  seen_ = 0;
  Found found;
  found.kind = ++empty_lines_ > limits.empty_lines_max ? Kind::kNobody : Kind::kPart;
  found.consumed = 2;
  return found;
}

MessageReader::Found MessageReader::read_head_of(std::span<char> input, const MessageLimits& limits,
                                                 HeadJudge* judge) {
  if (!head_end_.find({input.data(), input.size()}, limits.head)) {
    if (head_end_.refusal()) return refuse(head_end_.refusal());
    return {};
  }
  const size_t head_bytes = head_end_.bytes();
  const std::string_view text(input.data(), head_bytes);
  Head head;
  if (const Refusal refusal = read_head(input.first(head_bytes), limits.head, head)) {
    return refuse(refusal);
  }
  facts_ = head.facts;
  uint64_t content_bytes_max = limits.content_bytes_max;
  if (judge != nullptr) {
    if (const Refusal refusal = judge->judge(text, facts_, content_bytes_max)) {
      return refuse(refusal);
    }
  }
  if (!head.chunked && head.content_bytes == 0) return finish(text, head_bytes);
  if (head.content_bytes > content_bytes_max) return refuse({413, "the content is too long"});
  content_bytes_ = head.content_bytes;
  // A client that has sent some of its content does not wait.
  const bool waits = facts_.has(MessageFacts::kExpects) && input.size() == head_bytes;
  Found found;
  if (head.chunked) {
    phase_ = Phase::kChunks;
    chunk_limits_.content_bytes_max = content_bytes_max;
    gathered_ = text;
    found = read_chunks(input.subspan(head_bytes));
    found.consumed += head_bytes;
    if (found.kind == Kind::kMore) found.kind = Kind::kPart;
  } else {
    phase_ = Phase::kContent;
    found = read_content(input);
  }
  found.wants_continue = waits;
  return found;
}

MessageReader::Found MessageReader::read_content(std::span<char> input) {
  const uint64_t bytes = facts_.head_bytes + content_bytes_;
  if (input.size() < bytes) return {};
  return finish({input.data(), static_cast<size_t>(bytes)}, static_cast<size_t>(bytes));
}

MessageReader::Found MessageReader::read_chunks(std::span<char> input) {
  if (input.empty()) return {};
  size_t read = 0, written = 0;
  const ChunkedContent::Outcome outcome = chunks_.decode(input, read, written, chunk_limits_);
  gathered_.append(input.data(), written);
  if (outcome == ChunkedContent::Outcome::kRefused) return refuse(chunks_.refusal());
  if (outcome == ChunkedContent::Outcome::kMore) {
    Found found;
    found.kind = Kind::kPart;
    found.consumed = read;
    return found;
  }
  facts_.trailer_bytes = static_cast<uint16_t>(chunks_.trailer_bytes());
  return finish({}, read);
}

MessageReader::Found MessageReader::finish(std::string_view message, size_t consumed) {
  Found found;
  found.kind = Kind::kMessage;
  found.consumed = consumed;
  found.message = message;
  found.facts = facts_;
  if (phase_ == Phase::kHead) {
    head_end_.reset();
    facts_ = {};
    empty_lines_ = 0;
    seen_ = 0;
  } else {
    found.owned = std::move(gathered_);
    *this = MessageReader();
  }
  return found;
}

}}}  // namespace trireme::http
