#include "trireme/peer.h"

#include <utility>

#include "reply/core.h"
#include "reply/outbox.h"

namespace trireme::inline v0 {
namespace {

// What is for a connection of another server does not wait for the handler: the outbox is applied
// by the loops of its own server, which do not know that one.
void send_mail(Core& core, ConnectionId id, std::unique_ptr<Mail> mail) {
  Outbox* outbox = Outbox::current();
  if (outbox != nullptr && core.owns(outbox->connection)) {
    outbox->push(std::move(mail));
  } else {
    core.post(id, std::move(mail));
  }
}

}  // namespace

SendResult Peer::send(std::string bytes, Overflow overflow) const {
  Core* core = core_.get();
  if (core == nullptr) return SendResult::kClosed;
  if (!core->connected(id_)) {
    core->stale_ids.add();
    return SendResult::kClosed;
  }
  SlotRecord& record = *core->record(id_);
  if (overflow == Overflow::kReject) {
    const uint64_t unsent = uint64_t{record.unsent_bytes.load(std::memory_order_relaxed)} +
                            record.transit_bytes.load(std::memory_order_relaxed);
    if (unsent > record.write_bytes_high.load(std::memory_order_relaxed)) return SendResult::kFull;
  }
  if (!core->buffers.charge(bytes.size())) return SendResult::kFull;
  record.transit_bytes.fetch_add(bytes.size(), std::memory_order_relaxed);
  send_mail(
      *core, id_,
      std::make_unique<PushMail>(id_, ChargedBytes(std::move(bytes), core->buffers), overflow));
  return SendResult::kQueued;
}

void Peer::close() const {
  Core* core = core_.get();
  if (core == nullptr) return;
  if (!core->connected(id_)) return core->stale_ids.add();
  send_mail(*core, id_, std::make_unique<CloseMail>(id_));
}

bool Peer::connected() const { return core_.get() != nullptr && core_.get()->connected(id_); }

std::string Peer::address() const {
  if (!connected()) return {};
  std::string address = core_.get()->describe(id_);
  return connected() ? address
                     : std::string();  // the slot may have changed hands while it was read
}

}  // namespace trireme
