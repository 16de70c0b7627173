// A body that is gathered before its handler starts.
//
// Steps 3 and 4. Threads: the holder of the loop until the handler starts, then the thread that
// runs it. Bounded by what its decoder lets through; charged to the budget.
#pragma once

#include <string>

#include "handling/incoming_body.h"
#include "roster/server_context.h"

namespace trireme { inline namespace v0 {

class GatheredBody final : public IncomingBody {
 public:
  explicit GatheredBody(ServerContext& context) : context_(context) {}
  ~GatheredBody() override { context_.buffers.discharge(charged_); }
  GatheredBody(const GatheredBody&) = delete;
  GatheredBody& operator=(const GatheredBody&) = delete;

  void read_by(Job&) override {}
  [[nodiscard]] bool put(std::string_view part) override;
  void end() override {}
  void fail(BodyFailure) override {}
  bool awaits_room() override { return false; }
  bool abandon(bool was_started) override;

  size_t read(std::span<char> into) override;
  bool ended() const override { return read_ == bytes_.size(); }
  BodyFailure failure() const override { return BodyFailure::kNone; }
  std::optional<uint64_t> size() const override { return bytes_.size(); }

 private:
  ServerContext& context_;
  std::string bytes_;
  size_t charged_ = 0;
  size_t read_ = 0;
  bool is_abandoned_ = false;
};

}}  // namespace trireme
