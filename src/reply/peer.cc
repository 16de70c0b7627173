#include "trireme/peer.h"

#include <algorithm>
#include <memory>
#include <new>
#include <optional>
#include <utility>

#include "reply/ask_room.h"
#include "reply/outbox.h"
#include "roster/server_context.h"
#include "runtime/check.h"
#include "runtime/memory/scarce.h"

namespace trireme { inline namespace v0 {
namespace {

// False: there is no memory for it. What is for a connection of another server does not wait for
// the handler: the outbox is applied by the loops of its own server, which do not know that one.
[[nodiscard]] bool send_mail(ServerContext& context, ConnectionId id, std::unique_ptr<Mail> mail) {
  if (mail == nullptr) return false;
  Outbox* const outbox = Outbox::current();
  if (outbox != nullptr && context.roster.owns(outbox->connection)) {
    return with_memory([&] { outbox->push(std::move(mail)); });
  }
  context.post(id, std::move(mail));
  return true;
}

// The session of that connection will be told when there is room. Asked once until then.
SendResult ask_room(ServerContext& context, ConnectionId id, SlotRecord& record, bool of_budget) {
  if (context.roster.listener(record).session.has_on_writable &&
      !record.asked_room.exchange(true, std::memory_order_relaxed)) {
    std::unique_ptr<Mail> mail(new (std::nothrow) RoomMail(id, of_budget));
    if (!send_mail(context, id, std::move(mail)))
      record.asked_room.store(false, std::memory_order_relaxed);  // the next one asks
  }
  return SendResult::kFull;
}

// Charges `cost` bytes for a push. If that may not be: why.
std::optional<SendResult> may_send(ServerContext* context, ConnectionId id, size_t cost,
                                   Overflow overflow) {
  if (context == nullptr) return SendResult::kClosed;
  if (!context->roster.connected(id)) {
    context->stale_ids.add();
    return SendResult::kClosed;
  }
  SlotRecord& record = *context->roster.record(id);
  if (overflow == Overflow::kReject) {
    const uint64_t unsent = uint64_t{record.unsent_bytes.load(std::memory_order_relaxed)} +
                            record.transit_bytes.load(std::memory_order_relaxed);
    if (unsent > context->roster.listener(record).write_bytes_high)
      return ask_room(*context, id, record, false);
  }
  if (!context->buffers.charge(cost)) return ask_room(*context, id, record, true);
  return {};
}

// `mail` null: there was no memory for it.
SendResult send_push(ServerContext& context, ConnectionId id, size_t size,
                     std::unique_ptr<Mail> mail) {
  SlotRecord& record = *context.roster.record(id);
  record.transit_bytes.fetch_add(size, std::memory_order_relaxed);
  if (send_mail(context, id, std::move(mail))) return SendResult::kQueued;
  record.transit_bytes.fetch_sub(size, std::memory_order_relaxed);
  return ask_room(context, id, record, true);
}

}  // namespace

void detail::check_switch(bool is_given) {
  CHECK(is_given,
        "then() needs a codec, then_layer() a layer: without one the connection would go on as it "
        "is");
}

void ask_room(ServerContext& context, ConnectionId id) {
  static_cast<void>(ask_room(context, id, *context.roster.record(id), false));
}

SendResult Peer::send(std::string bytes, Overflow overflow) const {
  ServerContext* const context = context_.get();
  const size_t size = bytes.size();
  const size_t cost = PushMail::cost_of(bytes);
  if (const auto refused = may_send(context, id_, cost, overflow)) return *refused;
  ChargedBytes charged(std::move(bytes), Charge(context->buffers, cost));
  std::unique_ptr<Mail> mail(new (std::nothrow) PushMail(id_, std::move(charged), overflow));
  return send_push(*context, id_, size, std::move(mail));
}

SendResult Peer::send(SharedBytes bytes, Overflow overflow) const {
  ServerContext* const context = context_.get();
  const size_t size = bytes.size();
  if (const auto refused = may_send(context, id_, sizeof(PushMail), overflow)) return *refused;
  Charge of_mail(context->buffers, sizeof(PushMail));
  std::optional<SharedUse> use = SharedUse::begin(std::move(bytes), context->buffers);
  if (!use) return ask_room(*context, id_, *context->roster.record(id_), true);
  std::unique_ptr<PushMail> mail(new (std::nothrow)
                                     PushMail(id_, ChargedBytes(std::move(*use)), overflow));
  if (mail != nullptr) mail->charge = std::move(of_mail);
  return send_push(*context, id_, size, std::move(mail));
}

SendResult Peer::push(Answer answer, Overflow overflow) const {
  CHECK(!answer.switches() && !answer.closes(),
        "an answer with then(), then_layer() or close_after() cannot be pushed");
  CHECK(answer.file() == nullptr, "a file cannot be pushed");
  if (answer.kind() == Answer::Kind::kNone) return SendResult::kQueued;
  ServerContext* const context = context_.get();
  const size_t size = answer.text().size();
  const size_t cost = answer.is_shared() ? sizeof(PushMail) : PushMail::cost_of(answer);
  if (const auto refused = may_send(context, id_, cost, overflow)) return *refused;
  Charge charge(context->buffers, cost);
  ChargedBytes shared;
  if (answer.is_shared()) {
    std::optional<SharedUse> use = SharedUse::begin(answer.shared(), context->buffers);
    if (!use) return ask_room(*context, id_, *context->roster.record(id_), true);
    shared = ChargedBytes(std::move(*use));
  }
  if (!with_memory([&] { answer = std::move(answer).with_copy(); })) return SendResult::kFull;
  std::unique_ptr<Mail> mail(new (std::nothrow) PushMail(id_, std::move(answer), std::move(shared),
                                                         std::move(charge), overflow));
  return send_push(*context, id_, size, std::move(mail));
}

void Peer::close() const {
  ServerContext* context = context_.get();
  if (context == nullptr) return;
  if (!context->roster.connected(id_)) return context->stale_ids.add();
  CHECK(send_mail(*context, id_, std::make_unique<CloseMail>(id_)),
        "no memory to close a connection");
}

void Peer::end() const {
  ServerContext* context = context_.get();
  if (context == nullptr) return;
  if (!context->roster.connected(id_)) return context->stale_ids.add();
  CHECK(send_mail(*context, id_, std::make_unique<EndMail>(id_)), "no memory to end a stream");
}

CallResult Peer::post_call(std::unique_ptr<detail::SessionCall> call, size_t bytes,
                           const detail::SessionType* type) const {
  ServerContext* context = context_.get();
  if (context == nullptr) return CallResult::kClosed;
  if (!context->roster.connected(id_)) {
    context->stale_ids.add();
    return CallResult::kClosed;
  }
  SlotRecord& record = *context->roster.record(id_);
  const ListenerFacts& facts = context->roster.listener(record);
  const detail::SessionType* const is = facts.session.type;
  if (is == nullptr || (type != nullptr && type != is)) {
    // The slot may have changed hands while its listener was read.
    return connected() ? CallResult::kWrongSession : CallResult::kClosed;
  }
  if (call == nullptr || !record.calls.take(facts.calls_max)) return CallResult::kFull;
  bytes += sizeof(CallMail);
  std::unique_ptr<Mail> mail;
  if (context->buffers.charge(bytes)) {
    Charge charge(context->buffers, bytes);
    mail.reset(new (std::nothrow) CallMail(id_, std::move(call), std::move(charge)));
  }
  if (send_mail(*context, id_, std::move(mail))) return CallResult::kQueued;
  record.calls.give_back();
  return CallResult::kFull;
}

CallResult Peer::after(std::chrono::nanoseconds time, uint64_t tag) const {
  ServerContext* context = context_.get();
  if (context == nullptr) return CallResult::kClosed;
  if (!context->roster.connected(id_)) {
    context->stale_ids.add();
    return CallResult::kClosed;
  }
  SlotRecord& record = *context->roster.record(id_);
  const ListenerFacts& facts = context->roster.listener(record);
  if (!facts.session.has_on_timer)
    return connected() ? CallResult::kWrongSession : CallResult::kClosed;
  if (!record.timers.take(facts.timers_max)) return CallResult::kFull;
  // kNever would cancel it.
  const TimePoint due =
      std::min(time_after(context->platform.clock.now(), time), kNever - Duration(1));
  std::unique_ptr<Mail> mail(new (std::nothrow) TimerMail(id_, tag, due));
  if (send_mail(*context, id_, std::move(mail))) return CallResult::kQueued;
  record.timers.give_back();
  return CallResult::kFull;
}

void Peer::cancel(uint64_t tag) const {
  ServerContext* context = context_.get();
  if (context == nullptr) return;
  if (!context->roster.connected(id_)) return context->stale_ids.add();
  if (context->roster.record(id_)->timers.get() == 0) return;  // none is set, or on its way
  CHECK(send_mail(*context, id_, std::make_unique<TimerMail>(id_, tag, kNever)),
        "no memory to cancel a timer");
}

bool Peer::connected() const {
  return context_.get() != nullptr && context_.get()->roster.connected(id_);
}

std::string Peer::address() const {
  if (!connected()) return {};
  std::string address = context_.get()->roster.describe(id_);
  return connected() ? address
                     : std::string();  // the slot may have changed hands while it was read
}

LayerFacts Peer::layers() const {
  return context_.get() == nullptr ? LayerFacts() : context_.get()->layer_facts.of(id_);
}

std::optional<PeerCredentials> Peer::credentials() const {
  if (!connected()) return {};
  const std::optional<Credentials> known = context_.get()->roster.address(id_).credentials();
  if (!known || !connected()) return {};  // as above
  return PeerCredentials{.pid = known->pid, .uid = known->uid, .gid = known->gid};
}

}}  // namespace trireme
