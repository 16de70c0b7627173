#include "connection/file_sending.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "connection/ending.h"
#include "connection/turn.h"
#include "runtime/memory/scarce.h"

namespace trireme { inline namespace v0 {

FileSending::Next FileSending::prepare(Connection& connection, FilePart& part) {
  const FileRange range = connection.out.file_in_front();
  size_t bytes = kWindowBytes;
  const Next next = look(connection, connection.out, range, bytes);
  part = {.file = range.file.descriptor(), .offset = range.offset, .bytes = bytes};
  return next;
}

FileSending::Next FileSending::read(Connection& connection, WriteQueue& plain,
                                    std::string_view& piece) {
  const FileRange range = plain.file_in_front();
  size_t bytes = kBufferBytes;
  const Next next = look(connection, plain, range, bytes);
  piece = {buffer_.data(), bytes};
  if (next == Next::kSend) note_sent(bytes);
  return next;
}

// `bytes`: at most; with kSend, those that are in memory.
FileSending::Next FileSending::look(Connection& connection, WriteQueue& queue,
                                    const FileRange& range, size_t& bytes) {
  bytes = std::min({bytes, static_cast<size_t>(range.bytes), left_});
  if (connection.rare != nullptr && connection.rare->reads_disk) return Next::kNothing;
  if (left_ == 0) {
    if (!with_memory([&] { connection.make_rare().sends_on = true; })) {
      ending_.close(connection, CloseReason::kOutOfMemory);
    }
    turn_.schedule(connection);
    return Next::kNothing;
  }
  const ssize_t result = read_without_waiting(range, bytes);
  if (result == -EAGAIN || result == -EOPNOTSUPP) return take_from_disk(connection, queue, range);
  if (result <= 0) {
    fail(connection, result);
    return Next::kNothing;
  }
  bytes = static_cast<size_t>(result);
  return Next::kSend;
}

// More than the buffer holds overwrites itself there: then only the number matters.
ssize_t FileSending::read_without_waiting(const FileRange& range, size_t bytes) {
  if (!buffer_) buffer_ = context_.buffers.try_make_fixed(kBufferBytes);
  if (!buffer_) return -EAGAIN;  // a disk worker has a block of its own
  std::array<iovec, kWindowBytes / kBufferBytes> pieces;
  size_t count = 0;
  for (size_t left = bytes; left > 0; left -= pieces[count++].iov_len) {
    pieces[count] = {buffer_.data(), std::min(left, kBufferBytes)};
  }
  ssize_t result = 0;
  do {
    result = context_.platform.kernel.read_file(range.file.descriptor(), range.offset,
                                                std::span(pieces).first(count), false);
  } while (result == -EINTR);
  return result;
}

bool FileSending::read_small(const FileRange& range, std::string_view& bytes) {
  if (range.bytes > kBufferBytes) return false;
  if (range.bytes == 0) return true;
  const auto wanted = static_cast<size_t>(range.bytes);
  if (read_without_waiting(range, wanted) != static_cast<ssize_t>(wanted)) return false;
  bytes = {buffer_.data(), wanted};
  return true;
}

FileSending::Next FileSending::take_from_disk(Connection& connection, WriteQueue& queue,
                                              const FileRange& range) {
  const size_t bytes = std::min<size_t>(range.bytes, DiskRead::kBytesMax);
  Block block = context_.buffers.make(bytes);
  std::unique_ptr<DiskRead> read;
  const bool made = block && with_memory([&] {
                      connection.make_rare();
                      read = std::make_unique<DiskRead>(connection.id, range, std::move(block));
                      read->service = connection.listening->name;
                    });
  if (!made) {
    ending_.close(connection, CloseReason::kOutOfMemory);
    return Next::kNothing;
  }
  if (workers_ == nullptr) {
    read->run(context_.platform.kernel);
    use(connection, queue, *read);
    return connection.is_live() ? Next::kGoOn : Next::kNothing;
  }
  connection.rare->reads_disk = true;
  workers_->submit(std::move(read));
  return Next::kNothing;
}

void FileSending::take_back(Connection& connection, DiskRead& read) {
  connection.rare->reads_disk = false;
  if (!connection.is_live()) return;
  WriteQueue& queue = connection.out.has_file_in_front() || !connection.has_layers()
                          ? connection.out
                          : connection.rare->layers->plain();
  use(connection, queue, read);
}

void FileSending::use(Connection& connection, WriteQueue& queue, DiskRead& read) {
  if (read.result <= 0) return fail(connection, read.result);
  if (!queue.replace_in_front(std::move(read.block), static_cast<size_t>(read.result)))
    return ending_.close(connection, CloseReason::kOutOfMemory);
  // The time of the disk is not the client's.
  connection.out.note_progress(context_.platform.clock.now());
}

void FileSending::fail(Connection& connection, ssize_t error) {
  loop_.assume_held();
  gate_.write(context_.log, LogLevel::kWarning, loop_.now(), [&] {
    const std::string client = context_.roster.describe(connection.id);
    const bool has_ended = error == 0 || error == -ENODATA;
    return "a connection is reset, the file that '" + std::string(connection.listening->name) +
           "' sends to " + (client.empty() ? "its client" : client) +
           (has_ended ? std::string(" has become shorter")
                      : std::string(" cannot be read: ") + std::strerror(static_cast<int>(-error)));
  });
  cut(connection, CloseReason::kFileCut);
}

void FileSending::cut(Connection& connection, CloseReason reason) {
  if (!connection.is_live()) return;
  context_.platform.kernel.break_off(connection.fd);
  ending_.close(connection, reason);
}

}}  // namespace trireme
