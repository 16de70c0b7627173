// A body that its session takes in parts (on_body): no thread waits for it.
//
// Steps 3 and 4. Thread: the holder of the loop. Each part travels to the session in a job of its
// own (Strand), one at a time. Bounded: body_bytes_ahead_max bytes and one part wait; they are
// charged to the budget.
#pragma once

#include <string>
#include <utility>

#include "handling/incoming_body.h"
#include "roster/server_context.h"
#include "runtime/memory/scarce.h"

namespace trireme { inline namespace v0 {

// What one job brings.
struct RelayedPart {
  std::string bytes{};
  Charge charge{};
  bool ends = false;
  BodyFailure failure = BodyFailure::kNone;
};

class BodyRelay final : public IncomingBody {
 public:
  BodyRelay(ServerContext& context, size_t bytes_max) : context_(context), bytes_max_(bytes_max) {}
  ~BodyRelay() override { context_.buffers.discharge(bytes_.size()); }
  BodyRelay(const BodyRelay&) = delete;
  BodyRelay& operator=(const BodyRelay&) = delete;

  void read_by(Job&) override {}
  [[nodiscard]] bool put(std::string_view part) override {
    if (is_over()) return true;
    if (!context_.buffers.charge(part.size())) return false;
    if (with_memory([&] { bytes_.append(part); })) return true;
    context_.buffers.discharge(part.size());
    return false;
  }
  void end() override { has_ended_ = true; }
  void fail(BodyFailure why) override {
    if (!has_ended_ && failure_ == BodyFailure::kNone) failure_ = why;
  }
  bool awaits_room() override { return !is_over() && bytes_.size() >= bytes_max_; }
  // Its handler has returned: now come the parts.
  bool abandon(bool was_started) override {
    has_begun_ = was_started;
    if (!was_started) fail(BodyFailure::kGone);
    return was_started;
  }

  // There is a part to be brought.
  bool is_due() const { return has_begun_ && (!bytes_.empty() || is_over()); }
  RelayedPart take() {
    const size_t bytes = bytes_.size();
    return {.bytes = std::exchange(bytes_, {}),
            .charge = Charge(context_.buffers, bytes),
            .ends = has_ended_,
            .failure = failure_};
  }

  // Its handler reads nothing: the parts come to on_body.
  size_t read(std::span<char>) override { return 0; }
  bool ended() const override { return false; }
  BodyFailure failure() const override { return BodyFailure::kNone; }
  std::optional<uint64_t> size() const override { return {}; }

 private:
  bool is_over() const { return has_ended_ || failure_ != BodyFailure::kNone; }

  ServerContext& context_;
  const size_t bytes_max_;
  std::string bytes_;
  bool has_begun_ = false, has_ended_ = false;
  BodyFailure failure_ = BodyFailure::kNone;
};

}}  // namespace trireme
