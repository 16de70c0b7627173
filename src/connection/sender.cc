#include "connection/sender.h"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

#include "connection/clocks.h"
#include "connection/ending.h"
#include "connection/turn.h"

namespace trireme { inline namespace v0 {
namespace {

constexpr Duration kRetryWrite =
    std::chrono::milliseconds(10);  // after ENOBUFS, which no event ends
constexpr size_t kSendPieces = 64;

// What a send from a file has failed with is no fault of the socket.
bool is_of_file(int error) {
  switch (-error) {
    case ENODATA:
    case EIO:
    case EINVAL:
    case EBADF:
    case ESTALE:
    case EOVERFLOW:
      return true;
    default:
      return false;
  }
}

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

void Sender::write_file(Connection& connection, std::string_view head, const FileRange& range,
                        std::string_view tail) {
  std::string_view small;
  write(connection, head);
  if (files_.read_small(range, small)) {
    write(connection, small);
    return write(connection, tail);
  }
  flush(connection);
  if (!connection.is_live()) return;
  WriteQueue& queue = queue_of(connection);
  const bool was_empty = !connection.has_unsent();
  if (!queue.append(range) || !queue.append(context_.buffers, tail))
    return ending_.close(connection, CloseReason::kOutOfMemory);
  if (was_empty) connection.out.note_progress(context_.platform.clock.now());
  resume(connection);
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

void Sender::send_raw(Connection& connection, const Pieces& pieces, const Owner& owner) {
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

// The pieces less what the socket took of them go to the write queue, if it was not for good.
void Sender::keep_unsent(Connection& connection, const Pieces& pieces, Sent result,
                         const Owner& owner) {
  if (result.error != 0 && !note_failure(connection, result.error)) return;
  if (result.bytes > 0) connection.note_sent(loop_.now());
  const bool was_empty = connection.out.empty();
  if (!keep(connection.out, pieces, result.bytes, owner))
    return ending_.close(connection, CloseReason::kOutOfMemory);
  if (was_empty) connection.out.note_progress(context_.platform.clock.now());
  after_write(connection);
}

// Behind what is in `queue`, less the first `sent` bytes. False: there is no memory.
bool Sender::keep(WriteQueue& queue, const Pieces& pieces, size_t sent, const Owner& owner) {
  for (size_t i = 0; i < pieces.size(); ++i) {
    const size_t skip = std::min(sent, pieces[i].size());
    sent -= skip;
    const std::string_view rest = pieces[i].substr(skip);
    if (rest.empty()) continue;
    bool is_kept = false;
    if (i == 2 && !keep_owned(queue, owner, skip, is_kept)) return false;
    if (!is_kept && !queue.append(context_.buffers, rest)) return false;
  }
  return true;
}

// Without a copy, where somebody keeps them. False: there is no memory.
bool Sender::keep_owned(WriteQueue& queue, const Owner& owner, size_t skip, bool& is_kept) {
  Buffers& buffers = context_.buffers;
  ChargedBytes bytes;
  if (owner.bytes != nullptr) {
    bytes = std::move(*owner.bytes);
  } else if (owner.answer != nullptr && owner.answer->is_shared()) {
    std::optional<SharedUse> use = SharedUse::begin(owner.answer->shared(), buffers);
    if (!use) return false;
    bytes = ChargedBytes(std::move(*use));
  } else if (owner.answer != nullptr && owner.answer->is_owned()) {
    if (!buffers.charge(owner.answer->text().size())) return false;
    bytes = ChargedBytes(std::move(*owner.answer).take_owned(), buffers);
  } else {
    return true;
  }
  is_kept = true;
  return queue.append(std::move(bytes), skip, WriteQueue::Drop::kNever);
}

void Sender::send_latest(Connection& connection, std::span<ChargedBytes> pieces) {
  loop_.assume_held();
  settle(connection);
  if (!connection.is_live()) return;
  const bool was_empty = !connection.has_unsent();
  size_t sent = 0;
  if (was_empty) {
    if (!send_now(connection, pieces, sent)) return;
  } else {
    // Bytes of a layer cannot be dropped, those in front of it can.
    queue_of(connection).drop_latest();
  }
  using Drop = WriteQueue::Drop;
  Drop drop = sent == 0 ? Drop::kAsLatest : Drop::kNever;
  for (ChargedBytes& piece : pieces) {
    const size_t size = piece.text().size();
    const size_t skip = std::min(sent, size);
    sent -= skip;
    if (skip == size) continue;
    if (!queue_of(connection).append(std::move(piece), skip, drop))
      return ending_.close(connection, CloseReason::kOutOfMemory);
    if (drop == Drop::kAsLatest) drop = Drop::kWithPrevious;
  }
  if (was_empty) connection.out.note_progress(loop_.now());
  after_write(connection);
  turn_.schedule(connection);
}

// As much of the pieces as the socket, or the layers, take. False: the connection is closed.
bool Sender::send_now(Connection& connection, std::span<ChargedBytes> pieces, size_t& sent) {
  if (connection.has_layers()) {
    for (const ChargedBytes& piece : pieces) sent += send_piece_through(connection, piece.text());
    return connection.is_live();
  }
  std::array<iovec, 4> vectors;
  size_t count = 0;
  for (const ChargedBytes& piece : pieces) {
    const std::string_view all = piece.text();
    if (!all.empty()) vectors[count++] = {const_cast<char*>(all.data()), all.size()};
  }
  if (count == 0) return true;
  const Sent result = send_settled(connection, std::span(vectors).first(count));
  if (result.error != 0 && !note_failure(connection, result.error)) return false;
  if (result.bytes > 0) connection.note_sent(loop_.now());
  sent = result.bytes;
  return true;
}

void Sender::send_kept(Connection& connection, ChargedBytes bytes) {
  loop_.assume_held();
  if (connection.has_unsent()) {
    flush(connection);  // in front of it
    if (!connection.is_live()) return;
    if (!queue_of(connection).append(std::move(bytes), 0, WriteQueue::Drop::kNever))
      return ending_.close(connection, CloseReason::kOutOfMemory);
    return after_write(connection);
  }
  if (bytes.text().size() <= kCopyBytesMax) return write(connection, bytes.text());
  if (!gather_.is_of(connection)) flush();
  Connection* whose = nullptr;
  const Pieces pieces = {gather_.take(whose), {}, bytes.text(), {}};
  if (connection.has_layers()) return send_through(connection, pieces, {.bytes = &bytes});
  send_raw(connection, pieces, {.bytes = &bytes});
}

void Sender::send_push(Connection& connection, ChargedBytes bytes) {
  if (!connection.has_unsent()) return send_kept(connection, std::move(bytes));
  flush(connection);  // in front of it
  if (!connection.is_live()) return;
  if (!queue_of(connection).append_push(context_.buffers, std::move(bytes)))
    return ending_.close(connection, CloseReason::kOutOfMemory);
  loop_.assume_held();
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
  files_.begin();
  settle(connection);
  while (connection.is_live() && !connection.out.empty()) {
    const bool goes_on =
        connection.out.has_file_in_front() ? send_file(connection) : send_queued(connection);
    if (!goes_on) break;
  }
  if (!connection.is_live()) return;
  if (connection.has_layers()) send_plain_through(connection);
  if (!connection.is_live()) return;
  after_write(connection);
  if (!connection.has_unsent()) connection.drop_empty_rare();
  turn_.schedule(connection);
}

// Pieces from the front. False: the socket takes no more now.
bool Sender::send_queued(Connection& connection) {
  std::array<iovec, kSendPieces> vectors;
  const size_t count = connection.out.front(vectors);
  size_t total = 0;
  for (size_t i = 0; i < count; ++i) total += vectors[i].iov_len;
  const Sent result = send_settled(connection, std::span(vectors).first(count));
  if (result.error != 0 && !note_failure(connection, result.error)) return false;
  note_taken(connection, result.bytes);
  return result.bytes == total;
}

// A part of the file in front. False: it waits.
bool Sender::send_file(Connection& connection) {
  FilePart part;
  const FileSending::Next next = files_.prepare(connection, part);
  if (next != FileSending::Next::kSend) return next == FileSending::Next::kGoOn;
  const Sent result = loop_.driver().send_file(connection, part);
  files_.note_sent(result.bytes);
  note_taken(connection, result.bytes);
  if (is_of_file(result.error)) {
    files_.fail(connection, result.error);
    return false;
  }
  if (result.error != 0 && !note_failure(connection, result.error)) return false;
  return result.bytes == part.bytes;
}

// The client takes what has waited, so it is there.
void Sender::note_taken(Connection& connection, size_t bytes) {
  if (bytes == 0) return;
  connection.out.pop(bytes);
  connection.times.last_activity = context_.platform.clock.now();
  connection.out.note_progress(connection.times.last_activity);
}

void Sender::take_back(Connection& connection, DiskRead& read) {
  files_.take_back(connection, read);
  if (connection.is_live()) resume(connection);
}

// Watermarks, and what other threads may know of the queue.
void Sender::after_write(Connection& connection) {
  const Limits& limits = connection.listening->options.limits;
  const size_t unsent = connection.unsent();
  const auto published = static_cast<uint32_t>(std::min<size_t>(unsent, UINT32_MAX));
  SlotRecord& record = context_.roster.record(loop_.index(), connection.id.slot());
  if (record.unsent_bytes.load(std::memory_order_relaxed) != published) {
    record.unsent_bytes.store(published, std::memory_order_relaxed);
  }
  connection.out.note_watermarks(unsent, limits.write_bytes_low, limits.write_bytes_high);
  if (unsent > 0) clocks_.arm(connection);
  if (OpenStreams* const streams = connection.streams()) {
    streams->note_unsent(unsent, limits.write_bytes_low, context_.platform.threads);
  }
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
