// Parts of files on their way to sockets, or into transport layers.
//
// Step 6. Thread: the holder of the loop. Bounded: of one connection kBytesATurn leave before
// others have their turn; what is read into memory is charged to the budget.
//
// A loop never waits for a disk:
// 1. Before a part is sent it is read without waiting (RWF_NOWAIT). So much as is in memory leaves
//    by sendfile where the transport is plain; through layers, from the buffer that it was read to.
// 2. What is not in memory is read by a disk worker into a block of the connection (DiskRead), and
//    leaves from there.
// 3. Nothing is mapped: a page that is missing would stop the loop, one behind the end kill it.
#pragma once

#include <string_view>

#include "connection/connection.h"
#include "connection/disk_read.h"
#include "handling/side_workers.h"
#include "roster/server_context.h"

namespace trireme { inline namespace v0 {

class Ending;
class Turn;

class FileSending {
 public:
  FileSending(ServerContext& context, EventLoop& loop, Turn& turn, Ending& ending)
      : context_(context), loop_(loop), turn_(turn), ending_(ending) {}

  // Before start().
  void use_workers(SideWorkers* workers) { workers_ = workers; }

  // The connection may send kBytesATurn from now on.
  void begin() { left_ = kBytesATurn; }
  void note_sent(size_t bytes) { left_ -= bytes; }

  // What is to be done with a file in front of a queue.
  enum class Next : uint8_t {
    kSend,     // the part, or the piece, leaves now
    kGoOn,     // there are bytes in front of it now
    kNothing,  // it waits, for the disk or its next turn; or the connection is closed
  };
  // Of `connection.out`: the part, which is in memory.
  Next prepare(Connection& connection, FilePart& part);
  // In front of layers: the piece, until the next call.
  Next read(Connection& connection, WriteQueue& plain, std::string_view& piece);
  // A part that is small and in memory, until the next call. False: it is not.
  [[nodiscard]] bool read_small(const FileRange& range, std::string_view& bytes);
  // It is home, and belongs to this connection.
  void take_back(Connection& connection, DiskRead& read);

  // `error`: of a read, or 0 for the end of the file. The client must not take for the whole what
  // it has got: it is reset.
  void fail(Connection& connection, ssize_t error);
  void cut(Connection& connection, CloseReason reason);

  // The loop ends.
  void end() { buffer_ = Block(); }

 private:
  static constexpr size_t kWindowBytes = 128 << 10;  // looked at, then sent
  static constexpr size_t kBufferBytes = 16 << 10;
  static constexpr size_t kBytesATurn = 1 << 20;

  Next look(Connection& connection, WriteQueue& queue, const FileRange& range, size_t& bytes);
  ssize_t read_without_waiting(const FileRange& range, size_t bytes);
  Next take_from_disk(Connection& connection, WriteQueue& queue, const FileRange& range);
  void use(Connection& connection, WriteQueue& queue, DiskRead& read);

  ServerContext& context_;
  EventLoop& loop_;
  Turn& turn_;
  Ending& ending_;
  SideWorkers* workers_ = nullptr;  // null: there is no other thread
  size_t left_ = 0;                 // of this turn
  Block buffer_;                    // made when it is needed first
  LogGate gate_;
};

}}  // namespace trireme
