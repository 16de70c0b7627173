#include "trireme/reply_stream.h"

#include <new>
#include <optional>
#include <utility>

#include "reply/ask_room.h"
#include "reply/mail.h"
#include "roster/server_context.h"
#include "runtime/check.h"
#include "runtime/memory/scarce.h"

namespace trireme { inline namespace v0 {
namespace {

using What = StreamMail::What;

// False: the byte budget refuses.
[[nodiscard]] bool charge(Bytes& bytes, Buffers& budget, StreamMail& into) {
  if (bytes.file().file) {
    into.file = bytes.file();
    return true;
  }
  if (bytes.shared().block() != nullptr) {
    std::optional<SharedUse> use = SharedUse::begin(bytes.shared(), budget);
    if (use) into.bytes = ChargedBytes(std::move(*use));
    return use.has_value();
  }
  if (!budget.charge(bytes.size())) return false;
  into.bytes = ChargedBytes(std::move(bytes).take_own(), budget);
  return true;
}

}  // namespace

ReplyStream::ReplyStream(ConnectionId id, uint64_t request_number, ContextRef context,
                         std::shared_ptr<StreamCore> core, TimePoint deadline)
    : id_(id),
      request_number_(request_number),
      context_(std::move(context)),
      core_(std::move(core)),
      deadline_(deadline) {}

ReplyStream& ReplyStream::operator=(ReplyStream&& other) noexcept {
  if (this == &other) return *this;
  drop();
  id_ = other.id_;
  request_number_ = other.request_number_;
  context_ = std::move(other.context_);
  core_ = std::move(other.core_);
  deadline_ = other.deadline_;
  return *this;
}

ReplyStream::~ReplyStream() { drop(); }

void ReplyStream::drop() {
  if (context_.get() == nullptr) return;
  context_.get()->post(id_, std::make_unique<StreamMail>(What::kDrop, id_, request_number_, core_));
  context_ = ContextRef();
}

StreamResult ReplyStream::try_write(Bytes& bytes) {
  const StreamResult result = put(bytes);
  if (result == StreamResult::kFull) {
    core_->want_call();
    ask_room(*context_.get(), id_);
  }
  return result;
}

StreamResult ReplyStream::put(Bytes& bytes) {
  ServerContext* const context = context_.get();
  if (context == nullptr || core_->is_over() || !context->roster.connected(id_))
    return StreamResult::kClosed;
  const uint64_t size = bytes.size();
  if (size == 0) return StreamResult::kQueued;
  const SlotRecord& record = *context->roster.record(id_);
  std::unique_ptr<StreamMail> mail;
  if (core_->unsent() <= context->roster.listener(record).write_bytes_high) {
    mail.reset(new (std::nothrow) StreamMail(What::kPiece, id_, request_number_, core_));
  }
  if (mail == nullptr || !charge(bytes, context->buffers, *mail)) return StreamResult::kFull;
  core_->add(size);
  context->post(id_, std::move(mail));
  return StreamResult::kQueued;
}

void ReplyStream::finish() {
  if (context_.get() == nullptr) return;
  context_.get()->post(id_, std::make_unique<StreamMail>(What::kEnd, id_, request_number_, core_));
  context_ = ContextRef();
}

Cancellation ReplyStream::cancelled() const {
  ServerContext* const context = context_.get();
  if (context == nullptr) return Cancellation(CancelReason::kNone);
  if (!context->roster.connected(id_)) return Cancellation(CancelReason::kPeerGone);
  if (deadline_ <= context->platform.clock.now()) return Cancellation(CancelReason::kDeadline);
  const bool drains = context->roster.is_draining();
  return Cancellation(drains ? CancelReason::kDrain : CancelReason::kNone);
}

}}  // namespace trireme
