// The codec `delimiter`: Delimiters, as a codec.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "framing/delimiters.h"
#include "framing/refused_options.h"
#include "framing/tested_codec.h"
#include "trireme/codecs.h"

namespace trireme { inline namespace v0 {
namespace {

constexpr uint64_t kSkipping = 1;  // DecodeState::flags: the rest of a request that was too long
constexpr size_t kBytesMax = 64;   // of a delimiter

class DelimiterCodec final : public TestedCodec {
 public:
  DelimiterCodec(std::string of_answers, const DelimiterOptions& options, Delimiters delimiters)
      : of_answers_(std::move(of_answers)),
        include_(options.include),
        skip_empty_(options.skip_empty),
        delimiters_(std::move(delimiters)) {
    if (include_) return;
    std::copy(of_answers_.begin(), of_answers_.end(), envelope_.tail.begin());
    envelope_.tail_bytes = static_cast<uint8_t>(of_answers_.size());
  }

  Frame decode(DecodeState& state, std::string_view input, bool ended,
               size_t frame_bytes_max) const override {
    const Delimiters::Found found = delimiters_.find(input, state.scanned);
    if (found.end == 0) return unterminated(state, input, ended, frame_bytes_max);
    state.scanned = 0;
    if (state.flags != 0) {
      state.flags = 0;
      return {.kind = Frame::Kind::kSkip, .consumed = found.end};
    }
    if (found.begin == 0 && skip_empty_) return {.kind = Frame::Kind::kSkip, .consumed = found.end};
    const std::string_view payload = payload_of(input, found);
    if (payload.size() > frame_bytes_max) return too_long(found.end);
    return {.kind = Frame::Kind::kRequest, .consumed = found.end, .payload = payload};
  }

  size_t decode_requests(DecodeState& state, std::string_view input, bool, size_t frame_bytes_max,
                         uint32_t kind, std::span<DecodedRequest> into) const override {
    if (state.flags != 0 || kind != 0) return 0;
    size_t count = 0;
    while (count < into.size() && !input.empty()) {
      const Delimiters::Found found = delimiters_.find(input, state.scanned);
      if (found.end == 0 || (found.begin == 0 && skip_empty_)) break;
      const std::string_view payload = payload_of(input, found);
      if (payload.size() > frame_bytes_max) break;
      into[count++] = {payload, input.data() + found.end, DecodeState(), 0};
      input.remove_prefix(found.end);
      state.scanned = 0;
    }
    return count;
  }

  Envelope envelope(size_t) const override { return envelope_; }
  bool has_fixed_envelope() const override { return true; }
  ErrorReply error_reply(const FailedRequest& failed) const override {
    if (failed.failure == Failure::kBusy) return text("BUSY");
    return text("ERR " + std::string(failed.sentence));
  }

 private:
  std::string_view payload_of(std::string_view input, const Delimiters::Found& found) const {
    return input.substr(0, include_ ? found.end : found.begin);
  }
  static Frame too_long(size_t consumed) {
    return {.kind = Frame::Kind::kRefused,
            .consumed = consumed,
            .payload = "the line is too long",
            .failure = Failure::kTooLong};
  }

  Frame unterminated(DecodeState& state, std::string_view input, bool ended,
                     size_t frame_bytes_max) const {
    // The last bytes may begin a delimiter.
    const size_t kept = std::min(input.size(), delimiters_.longest() - 1);
    const size_t dropped = input.size() - kept;
    if (state.flags != 0) {
      // The client has its answer to that request: at the end nothing of it is left to drop.
      if (ended && input.empty()) return {.kind = Frame::Kind::kEnd};
      if (ended) return {.kind = Frame::Kind::kSkip, .consumed = input.size()};
      state.scanned = kept;
      return {.kind = Frame::Kind::kIncomplete, .consumed = dropped};
    }
    if (dropped > frame_bytes_max) {
      state = {.scanned = kept, .flags = kSkipping};
      return too_long(dropped);
    }
    if (ended) return {.kind = Frame::Kind::kEnd, .consumed = input.size()};
    state.scanned = input.size();
    return {.kind = Frame::Kind::kIncomplete};
  }

  // A text that ends where its delimiter does and not before. The sentence may hold a delimiter.
  ErrorReply text(std::string body) const {
    const bool has_line = of_answers_.find('_') != std::string::npos;
    std::string framed = body + of_answers_;
    for (size_t i = 0; i <= body.size(); ++i) {
      const size_t end = delimiters_.find(framed, 0).end;
      if (end == framed.size()) return {.body = include_ ? framed : framed.substr(0, body.size())};
      if (end == 0 || end > body.size()) break;
      framed[end - 1] = has_line ? '-' : '_';
    }
    return {.body = {}, .close = true};
  }

  const std::string of_answers_;
  const bool include_;
  const bool skip_empty_;
  const Delimiters delimiters_;
  Envelope envelope_;
};

std::string problem_of(const std::vector<std::string>& all, bool include) {
  for (const std::string& one : all) {
    if (one.empty() || one.size() > kBytesMax)
      return "a delimiter must be 1 to 64 bytes, and is " + std::to_string(one.size());
  }
  if (!include && all.front().size() > sizeof(Envelope::tail)) {
    return "answers get the delimiter, so it must be at most 8 bytes, and is " +
           std::to_string(all.front().size()) + "; with `include` it may be longer";
  }
  for (const std::string& one : all) {
    for (const std::string& other : all) {
      const size_t at = one.find(other);
      if (&one != &other && at != std::string::npos && at + other.size() < one.size())
        return "one delimiter is complete inside of another, which can never end a request";
    }
  }
  return {};
}

}  // namespace

std::shared_ptr<const Codec> delimiter(std::string delimiter, DelimiterOptions options) {
  std::vector<std::string> all{delimiter};
  all.insert(all.end(), options.also.begin(), options.also.end());
  const std::string problem = problem_of(all, options.include);
  if (!problem.empty()) return refused_options("delimiter: " + problem);
  return std::make_shared<DelimiterCodec>(std::move(delimiter), options,
                                          Delimiters(std::move(all)));
}

}}  // namespace trireme
