#include "connection/pushes.h"

#include <utility>

#include "connection/clocks.h"
#include "connection/ending.h"
#include "connection/turn.h"

namespace trireme { inline namespace v0 {

void Pushes::open(std::unique_ptr<PushMail> mail) {
  Connection* const connection = slots_.find(mail->id);
  if (connection != nullptr && !sender_.owns_writing(*connection)) {
    Connection::Rare& rare = connection->make_rare();
    Mail* const waits = mail.release();
    (rare.deferred == nullptr ? rare.deferred : rare.deferred_last->next) = waits;
    rare.deferred_last = waits;
    return;
  }
  const size_t bytes = mail->bytes.bytes().size();
  SlotRecord* record = context_.roster.record(mail->id);
  if (record != nullptr) record->transit_bytes.fetch_sub(bytes, std::memory_order_relaxed);
  if (connection == nullptr || connection->life.is_lingering()) return;
  if (connection->clocks.silent) clocks_.end_silence(*connection);
  sender_.flush(*connection);
  if (!connection->is_live()) return;
  const bool full =
      connection->out.bytes() > connection->listening->options.limits.write_bytes_high;
  if (full && mail->overflow == Overflow::kClose)
    return ending_.close(*connection, CloseReason::kSlowConsumer);
  if (mail->overflow == Overflow::kLatest) {
    return sender_.send_latest(*connection, std::move(mail->bytes));
  }
  if (!connection->out.empty()) return sender_.queue(*connection, std::move(mail->bytes));
  sender_.write(*connection, mail->bytes.bytes());
  if (connection->is_live()) turn_.schedule(*connection);
}

void Pushes::open_all(Connection& connection) {
  for (Mail* next = std::exchange(connection.rare->deferred, nullptr); next != nullptr;) {
    std::unique_ptr<PushMail> mail(static_cast<PushMail*>(next));
    next = std::exchange(mail->next, nullptr);
    open(std::move(mail));
  }
}

}}  // namespace trireme
