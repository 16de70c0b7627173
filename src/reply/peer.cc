#include "trireme/peer.h"

#include <memory>
#include <new>
#include <optional>
#include <utility>

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

}  // namespace

SendResult Peer::send(std::string bytes, Overflow overflow) const {
  ServerContext* context = context_.get();
  if (context == nullptr) return SendResult::kClosed;
  if (!context->roster.connected(id_)) {
    context->stale_ids.add();
    return SendResult::kClosed;
  }
  SlotRecord& record = *context->roster.record(id_);
  if (overflow == Overflow::kReject) {
    const uint64_t unsent = uint64_t{record.unsent_bytes.load(std::memory_order_relaxed)} +
                            record.transit_bytes.load(std::memory_order_relaxed);
    if (unsent > record.write_bytes_high.load(std::memory_order_relaxed)) return SendResult::kFull;
  }
  if (!context->buffers.charge(bytes.size())) return SendResult::kFull;
  const size_t size = bytes.size();
  ChargedBytes charged(std::move(bytes), context->buffers);
  record.transit_bytes.fetch_add(size, std::memory_order_relaxed);
  std::unique_ptr<Mail> mail(new (std::nothrow) PushMail(id_, std::move(charged), overflow));
  if (send_mail(*context, id_, std::move(mail))) return SendResult::kQueued;
  record.transit_bytes.fetch_sub(size, std::memory_order_relaxed);
  return SendResult::kFull;
}

void Peer::close() const {
  ServerContext* context = context_.get();
  if (context == nullptr) return;
  if (!context->roster.connected(id_)) return context->stale_ids.add();
  CHECK(send_mail(*context, id_, std::make_unique<CloseMail>(id_)),
        "no memory to close a connection");
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
