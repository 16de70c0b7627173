#include "trireme/reply.h"

#include <utility>

#include "reply/outbox.h"
#include "roster/server_context.h"
#include "runtime/check.h"
#include "runtime/memory/scarce.h"

namespace trireme { inline namespace v0 {

Reply::Reply(ConnectionId id, uint64_t request_number, ContextRef context, TimePoint deadline)
    : id_(id), request_number_(request_number), context_(std::move(context)), deadline_(deadline) {}

Reply::Reply(Reply&& other) noexcept
    : id_(other.id_),
      request_number_(other.request_number_),
      context_(std::move(other.context_)),
      deadline_(other.deadline_) {}

Reply& Reply::operator=(Reply&& other) noexcept {
  if (this == &other) return *this;
  if (context_.get() != nullptr) deliver(detail::failed(Failure::kInternal, "internal"));
  id_ = other.id_;
  request_number_ = other.request_number_;
  context_ = std::move(other.context_);
  deadline_ = other.deadline_;
  return *this;
}

Reply::~Reply() {
  if (context_.get() != nullptr) deliver(detail::failed(Failure::kInternal, "internal"));
}

void Reply::send(Answer answer) && {
  if (context_.get() != nullptr) deliver(std::move(answer));
}

ReplyStream Reply::stream(Answer head) && {
  CHECK(head.kind() == Answer::Kind::kBytes && !head.switches() && head.body_bytes() == 0,
        "a stream begins without bytes, and with no error, then() or then_layer()");
  ServerContext* const context = context_.get();
  if (context == nullptr) return {};
  auto core = std::make_shared<StreamCore>();
  auto begin = std::make_unique<StreamMail>(StreamMail::What::kBegin, id_, request_number_, core);
  begin->head.emplace(std::move(head));
  Outbox* const outbox = Outbox::current();
  if (outbox != nullptr && context->roster.owns(outbox->connection)) {
    for (std::unique_ptr<Mail>& mail : outbox->take_mail()) {
      const ConnectionId to = static_cast<const ConnectionMail&>(*mail).id;
      context->post(to, std::move(mail));
    }
  }
  context->post(id_, std::move(begin));
  return ReplyStream(id_, request_number_, std::exchange(context_, {}), std::move(core), deadline_);
}

Cancellation Reply::cancelled() const {
  ServerContext* const context = context_.get();
  if (context == nullptr) return Cancellation(CancelReason::kNone);
  if (!context->roster.connected(id_)) return Cancellation(CancelReason::kPeerGone);
  if (deadline_ <= context->platform.clock.now()) return Cancellation(CancelReason::kDeadline);
  const bool drains = context->roster.is_draining();
  return Cancellation(drains ? CancelReason::kDrain : CancelReason::kNone);
}

std::chrono::nanoseconds Reply::time_left() const {
  ServerContext* const context = context_.get();
  return context == nullptr ? Duration(0) : time_until(deadline_, context->platform.clock);
}

void Reply::deliver(Answer answer) {
  ContextRef context = std::move(context_);
  context_ = ContextRef();
  Outbox* outbox = Outbox::current();
  if (outbox != nullptr && outbox->connection == id_ && outbox->request_number == request_number_) {
    return answer.keeps_bytes() ? outbox->put(std::move(answer))
                                : outbox->put_copy(std::move(answer));
  }
  if (!answer.keeps_bytes() && !with_memory([&] { answer = std::move(answer).with_copy(); })) {
    answer = detail::failed(Failure::kInternal, "internal");  // no memory for the copy
  }
  auto mail = std::make_unique<AnswerMail>(id_, request_number_, std::move(answer));
  if (outbox != nullptr && context.get()->roster.owns(outbox->connection)) {
    outbox->push(std::move(mail));
  } else {
    context.get()->post(id_, std::move(mail));
  }
}

}}  // namespace trireme
