#include "framing/refused_options.h"

#include <utility>

namespace trireme { inline namespace v0 {
namespace {

class RefusedOptions final : public Codec {
 public:
  explicit RefusedOptions(std::string problem) : problem_(std::move(problem)) {}

  Frame decode(DecodeState&, std::string_view input, bool ended, size_t) const override {
    if (input.empty()) return {.kind = ended ? Frame::Kind::kEnd : Frame::Kind::kIncomplete};
    return {.kind = Frame::Kind::kFatal, .consumed = input.size(), .payload = "internal"};
  }
  ErrorReply error_reply(const FailedRequest&) const override {
    return {.body = {}, .close = true};
  }
  std::string problem(size_t) const override { return problem_; }

 private:
  const std::string problem_;
};

}  // namespace

std::shared_ptr<const Codec> refused_options(std::string problem) {
  return std::make_shared<RefusedOptions>(std::move(problem));
}

}}  // namespace trireme
