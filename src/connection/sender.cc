#include "connection/sender.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "connection/clocks.h"
#include "connection/ending.h"
#include "connection/turn.h"

namespace trireme { inline namespace v0 {
namespace {

constexpr Duration kRetryWrite =
    std::chrono::milliseconds(10);  // after ENOBUFS, which no event ends
constexpr size_t kSendPieces = 64;

// What goes through the layers of `piece` at once, so that what they make of it stays small.
std::string_view through(std::string_view piece) { return piece.substr(0, 16 << 10); }

}  // namespace

void Sender::write(Connection& connection, std::string_view bytes) {
  if (bytes.empty()) return;
  if (!gather_.is_of(connection) || !gather_.has_room(bytes.size())) flush();
  if (!connection.is_live()) return;  // the flush has found it dead
  if (bytes.size() > gather_.capacity()) return send(connection, {bytes, {}, {}, {}}, nullptr);
  gather_.append(connection, bytes);
}

void Sender::write_framed(Connection& connection, std::string_view head, Answer& body,
                          std::string_view tail) {
  if (body.text().size() <= kCopyBytesMax) {
    write(connection, head);
    write(connection, body.text());
    return write(connection, tail);
  }
  if (!gather_.is_of(connection)) flush();
  Connection* whose = nullptr;
  const std::string_view gathered = gather_.take(whose);
  send(connection, {gathered, head, body.text(), tail}, &body);
}

void Sender::flush() {
  if (gather_.is_empty()) return;
  Connection* whose = nullptr;
  const std::string_view gathered = gather_.take(whose);
  if (whose->is_live()) send(*whose, {gathered, {}, {}, {}}, nullptr);
}

void Sender::drop_gathered(const Connection& connection) {
  Connection* whose = nullptr;
  if (gather_.is_of(connection)) gather_.take(whose);
}

void Sender::send_raw(Connection& connection, const std::array<std::string_view, 4>& pieces,
                      Answer* owner) {
  loop_.assume_held();
  Sent result;
  if (connection.out.empty()) {
    std::array<iovec, 4> vectors;
    size_t count = 0, total = 0;
    for (const std::string_view piece : pieces) {
      if (piece.empty()) continue;
      vectors[count++] = {const_cast<char*>(piece.data()), piece.size()};
      total += piece.size();
    }
    if (count == 0) return;
    result = loop_.driver().send(connection, std::span(vectors).first(count));
    if (result.bytes == total) {  // the queue is as empty as it was: no watermark is crossed
      connection.note_sent(loop_.now());
      return;
    }
  }
  keep_unsent(connection, pieces, result, owner);
}

// In the order in which it was to be sent: a push of the policy `latest` that has waited is first.
void Sender::send_through(Connection& connection, const std::array<std::string_view, 4>& pieces) {
  loop_.assume_held();
  if (const auto latest = connection.rare->layers->take_latest()) {
    send_piece_through(connection, latest->bytes());
  }
  for (const std::string_view piece : pieces) send_piece_through(connection, piece);
}

void Sender::send_piece_through(Connection& connection, std::string_view piece) {
  for (; !piece.empty() && connection.is_live(); piece.remove_prefix(through(piece).size())) {
    through_.clear();
    const bool sent = ending_.guard_layers(
        connection, [&] { return connection.rare->layers->send(through(piece), through_); });
    if (!sent) return;
    send_raw(connection, {through_}, nullptr);
  }
}

void Sender::finish_layers(Connection& connection) {
  LayerChain& chain = *connection.rare->layers;
  if (!connection.out.empty() || chain.has_finished() || !chain.is_open()) return;
  through_.clear();
  if (ending_.guard_layers(connection, [&] { return chain.finish_sending(through_); }))
    send_raw(connection, {through_}, nullptr);
}

// The pieces less what the socket took of them go to the write queue, if it was not for good.
void Sender::keep_unsent(Connection& connection, const std::array<std::string_view, 4>& pieces,
                         Sent result, Answer* owner) {
  if (result.error != 0 && !note_failure(connection, result.error)) return;
  if (result.bytes > 0) connection.note_sent(loop_.now());
  const bool was_empty = connection.out.empty();
  size_t sent = result.bytes;
  for (size_t i = 0; i < pieces.size(); ++i) {
    const size_t skip = std::min(sent, pieces[i].size());
    sent -= skip;
    const std::string_view rest = pieces[i].substr(skip);
    if (rest.empty()) continue;
    if (i == 2 && owner != nullptr && owner->is_owned()) {
      if (context_.buffers.charge(pieces[i].size()) &&
          connection.out.append(ChargedBytes(std::move(*owner).take_owned(), context_.buffers),
                                skip, false)) {
        continue;
      }
    } else if (connection.out.append(context_.buffers, rest)) {
      continue;
    }
    return ending_.close(connection, CloseReason::kOutOfMemory);
  }
  if (was_empty) connection.out.note_progress(context_.platform.clock.now());
  after_write(connection);
}

void Sender::send_owned(Connection& connection, ChargedBytes bytes, bool latest) {
  loop_.assume_held();
  settle(connection);
  if (!connection.is_live()) return;
  if (connection.has_layers()) {
    // Bytes of a layer cannot be dropped: the newest value waits in front of it.
    if (latest && !connection.out.empty())
      return connection.rare->layers->keep_latest(std::move(bytes));
    return send_through(connection, {bytes.bytes()});
  }
  Sent result;
  const bool was_empty = connection.out.empty();
  if (was_empty) {
    const std::string& all = bytes.bytes();
    const iovec piece{const_cast<char*>(all.data()), all.size()};
    if (!all.empty()) result = send_settled(connection, {&piece, 1});
    if (result.error != 0 && !note_failure(connection, result.error)) return;
    if (result.bytes > 0) connection.note_sent(loop_.now());
  } else if (latest) {
    connection.out.drop_latest();
  }
  if (!connection.out.append(std::move(bytes), result.bytes, latest)) {
    return ending_.close(connection, CloseReason::kOutOfMemory);
  }
  if (was_empty) connection.out.note_progress(loop_.now());
  after_write(connection);
  turn_.schedule(connection);
}

void Sender::queue(Connection& connection, ChargedBytes bytes) {
  loop_.assume_held();
  if (connection.has_layers()) return send_through(connection, {bytes.bytes()});
  if (!connection.out.append_push(context_.buffers, std::move(bytes))) {
    return ending_.close(connection, CloseReason::kOutOfMemory);
  }
  after_write(connection);
}

bool Sender::note_failure(Connection& connection, int error) {
  loop_.assume_held();
  if (error == -ENOBUFS || error == -ENOMEM) {
    const TimePoint again = loop_.now() + kRetryWrite;
    connection.out.set_retry_at(again);
    loop_.timers().arm_no_later(connection, again);
    return true;
  }
  ending_.close(connection, CloseReason::kReset);
  return false;
}

void Sender::settle(Connection& connection) {
  loop_.assume_held();
  if (!driver_.gathers_sends || !connection.is_live()) return;
  const Unsent unsent = loop_.driver().settle(connection);
  if (!unsent.bytes.empty()) take_back(connection, unsent.bytes, unsent.error);
}

void Sender::take_back(Connection& connection, std::span<const char> bytes, int error) {
  loop_.assume_held();
  if (!connection.is_live()) return;
  if (error != 0 && !note_failure(connection, error)) return;
  const bool was_empty = connection.out.empty();
  if (!connection.out.prepend(context_.buffers, bytes)) {
    return ending_.close(connection, CloseReason::kOutOfMemory);
  }
  if (was_empty) connection.out.note_progress(context_.platform.clock.now());
  after_write(connection);
}

// Sends at once: what it says was sent is the socket's, whatever the driver gathers. Nothing of the
// connection is with the driver.
Sent Sender::send_settled(Connection& connection, std::span<const iovec> pieces) {
  Sent result = loop_.driver().send(connection, pieces);
  if (!driver_.gathers_sends || result.error != 0) return result;
  const Unsent unsent = loop_.driver().settle(connection);
  return {.bytes = result.bytes - unsent.bytes.size(), .error = unsent.error};
}

void Sender::resume(Connection& connection) {
  loop_.assume_held();
  std::array<iovec, kSendPieces> vectors;
  settle(connection);
  while (connection.is_live() && !connection.out.empty()) {
    const size_t count = connection.out.front(vectors);
    size_t total = 0;
    for (size_t i = 0; i < count; ++i) total += vectors[i].iov_len;
    const Sent result = send_settled(connection, std::span(vectors).first(count));
    if (result.error != 0 && !note_failure(connection, result.error)) return;
    connection.out.pop(result.bytes);
    if (result.bytes > 0) {  // the client takes what has waited, so it is there
      connection.times.last_activity = context_.platform.clock.now();
      connection.out.note_progress(connection.times.last_activity);
    }
    if (result.bytes < total) break;
  }
  if (!connection.is_live()) return;
  if (connection.out.empty() && connection.has_layers()) send_through(connection, {});
  if (!connection.is_live()) return;
  after_write(connection);
  turn_.schedule(connection);
}

// Watermarks, and what other threads may know of the queue.
void Sender::after_write(Connection& connection) {
  const Limits& limits = connection.listening->options.limits;
  const size_t unsent = connection.out.bytes();
  const auto published = static_cast<uint32_t>(std::min<size_t>(unsent, UINT32_MAX));
  SlotRecord& record = context_.roster.record(loop_.index(), connection.id.slot());
  if (record.unsent_bytes.load(std::memory_order_relaxed) != published) {
    record.unsent_bytes.store(published, std::memory_order_relaxed);
  }
  connection.out.note_watermarks(limits.write_bytes_low, limits.write_bytes_high);
  if (unsent > 0) clocks_.arm(connection);
}

bool Sender::owns_writing(Connection& connection) {
  if (connection.writer == nullptr) return true;
  if (!connection.writer->direct.take_back()) return false;
  connection.writer = nullptr;
  return true;
}

void Sender::grant_writing(Connection& connection, Job& job) {
  if (job.run.kind != JobKind::kRequest || connection.listening->overlaps() ||
      connection.has_encoder() || connection.life.is_draining() ||
      !connection.life.is_output_open() || !driver_.worker_may_write || connection.has_layers()) {
    return;
  }
  flush(connection);
  settle(connection);
  if (!connection.is_live() || !connection.out.empty()) return;
  ReturnFlag& flag = context_.roster.record(loop_.index(), connection.id.slot()).return_flag;
  job.direct.grant(connection.fd, flag);
  connection.writer = &job;
}

}}  // namespace trireme
