#include "trireme/reply.h"

#include <utility>

#include "reply/core.h"
#include "reply/outbox.h"
#include "runtime/memory/scarce.h"

namespace trireme { inline namespace v0 {

Reply::Reply(ConnectionId id, uint64_t request_number, CoreRef core)
    : id_(id), request_number_(request_number), core_(std::move(core)) {}

Reply::Reply(Reply&& other) noexcept
    : id_(other.id_), request_number_(other.request_number_), core_(std::move(other.core_)) {}

Reply& Reply::operator=(Reply&& other) noexcept {
  if (this == &other) return *this;
  if (core_.get() != nullptr) deliver(error("internal"));
  id_ = other.id_;
  request_number_ = other.request_number_;
  core_ = std::move(other.core_);
  return *this;
}

Reply::~Reply() {
  if (core_.get() != nullptr) deliver(error("internal"));
}

void Reply::send(Answer answer) && {
  if (core_.get() != nullptr) deliver(std::move(answer));
}

void Reply::deliver(Answer answer) {
  CoreRef core = std::move(core_);
  core_ = CoreRef();
  Outbox* outbox = Outbox::current();
  if (outbox != nullptr && outbox->connection == id_ && outbox->request_number == request_number_) {
    return answer.is_owned() ? outbox->put(std::move(answer)) : outbox->put_copy(std::move(answer));
  }
  if (!answer.is_owned() && !with_memory([&] { answer = std::move(answer).with_copy(); })) {
    answer = error("internal");  // no memory for the copy
  }
  auto mail = std::make_unique<AnswerMail>(id_, request_number_, std::move(answer));
  if (outbox != nullptr && core.get()->owns(outbox->connection)) {
    outbox->push(std::move(mail));
  } else {
    core.get()->post(id_, std::move(mail));
  }
}

}}  // namespace trireme
