// Step 6 of the I/O worker: what was sent to a connection without a request, Peer::send, in the
// loop of that connection.
#include <string>
#include <utility>

#include "connection/io_worker.h"

namespace trireme { inline namespace v0 {

void IoWorker::push_in_loop(std::unique_ptr<PushMail> mail) {
  Connection* connection = slots_.find(mail->id);
  if (connection != nullptr && !owns_writing_in_loop(*connection)) {
    Connection::Rare& rare = connection->make_rare();
    Mail* const waits = mail.release();
    (rare.deferred == nullptr ? rare.deferred : rare.deferred_last->next) = waits;
    rare.deferred_last = waits;
    return;
  }
  const size_t bytes = mail->bytes.bytes().size();
  SlotRecord* record = context_.roster.record(mail->id);
  if (record != nullptr) record->transit_bytes.fetch_sub(bytes, std::memory_order_relaxed);
  if (connection == nullptr || connection->phase == Connection::Phase::kLingering) return;
  if (connection->silent) end_silence_in_loop(*connection);
  if (out_connection_ == connection) flush_in_loop();
  if (!connection->is_live()) return;
  const bool full =
      connection->out.bytes() > connection->listening->options.limits.write_bytes_high;
  if (full && mail->overflow == Overflow::kClose)
    return close_in_loop(*connection, CloseReason::kSlowConsumer);
  const bool latest = mail->overflow == Overflow::kLatest;
  if (connection->out.empty() && !latest) {
    write_in_loop(*connection, mail->bytes.bytes());
    if (connection->is_live()) turn_.schedule(*connection);
    return;
  }
  if (latest) return push_latest_in_loop(*connection, std::move(mail->bytes));
  if (!connection->out.append(std::move(mail->bytes), 0, false)) {
    return close_in_loop(*connection, CloseReason::kOutOfMemory);
  }
  after_write_in_loop(*connection);
}

// Not gathered with others: of bytes that have not begun to leave, a newer value takes the place.
void IoWorker::push_latest_in_loop(Connection& connection, ChargedBytes bytes) {
  settle_in_loop(connection);
  if (!connection.is_live()) return;
  Sent result;
  const bool was_empty = connection.out.empty();
  if (was_empty) {
    const std::string& all = bytes.bytes();
    const iovec piece{const_cast<char*>(all.data()), all.size()};
    if (!all.empty()) result = send_settled_in_loop(connection, {&piece, 1});
    if (result.error != 0 && !send_failed_in_loop(connection, result.error)) return;
    if (result.bytes > 0) connection.last_activity = loop_.now();
  } else {
    connection.out.drop_latest();
  }
  if (!connection.out.append(std::move(bytes), result.bytes, true)) {
    return close_in_loop(connection, CloseReason::kOutOfMemory);
  }
  if (was_empty) connection.out.note_progress(loop_.now());
  after_write_in_loop(connection);
  turn_.schedule(connection);
}

// Pushes that came while a data worker was writing.
void IoWorker::open_deferred_in_loop(Connection& connection) {
  for (Mail* next = std::exchange(connection.rare->deferred, nullptr); next != nullptr;) {
    std::unique_ptr<PushMail> mail(static_cast<PushMail*>(next));
    next = std::exchange(mail->next, nullptr);
    push_in_loop(std::move(mail));
  }
}

}}  // namespace trireme
