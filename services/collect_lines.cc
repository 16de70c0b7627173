// The codec of `collect`.
#include "services/collect.h"
#include "services/collect_words.h"

namespace services {
namespace {

class CollectLines final : public tr::Codec {
 public:
  tr::Frame decode(tr::DecodeState& state, std::string_view input, bool ended,
                   size_t frame_bytes_max) const override {
    tr::Frame frame = lines_->decode(state, input, ended, frame_bytes_max);
    if (frame.kind == tr::Frame::Kind::kRequest && looks_like_http(frame.payload)) {
      frame.kind = tr::Frame::Kind::kFatal;
      frame.payload = "this is no HTTP server";
    }
    return frame;
  }
  tr::Envelope envelope(size_t body_bytes) const override { return lines_->envelope(body_bytes); }
  bool has_fixed_envelope() const override { return lines_->has_fixed_envelope(); }
  bool envelope_recipe(tr::EnvelopeRecipe& into) const override {
    return lines_->envelope_recipe(into);
  }
  tr::ErrorReply error_reply(const tr::FailedRequest& failed) const override {
    return lines_->error_reply(failed);
  }
  std::string problem(size_t frame_bytes_max) const override {
    return lines_->problem(frame_bytes_max);
  }

 private:
  const std::shared_ptr<const tr::Codec> lines_ = tr::lines();
};

}  // namespace

std::shared_ptr<const tr::Codec> collect_lines() { return std::make_shared<CollectLines>(); }

}  // namespace services
