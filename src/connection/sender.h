// The send direction of connections: what is to leave is gathered, sent, and kept where the socket
// does not take it. The only place of the loop that sends to its driver.
//
// Step 6. Thread: the holder of the loop. Bounded: one gather buffer a loop; a write queue stops
// the reading of its connection at write_bytes_high, and counts against the budget. Who sends for a
// connection may find it closed afterwards: the socket, or the budget, has failed.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>

#include "connection/connection.h"
#include "connection/file_sending.h"
#include "connection/gather.h"
#include "reply/mail.h"
#include "roster/server_context.h"

namespace trireme { inline namespace v0 {

class Clocks;
class Ending;
class Turn;

class Sender {
 public:
  using Pieces = std::array<std::string_view, 4>;

  Sender(ServerContext& context, EventLoop& loop, Driver::Traits driver, Turn& turn, Ending& ending,
         Clocks& clocks)
      : context_(context),
        loop_(loop),
        driver_(driver),
        turn_(turn),
        ending_(ending),
        clocks_(clocks),
        gather_(context.buffers),
        files_(context, loop, turn, ending) {}

  // Before start().
  void use_disk_workers(SideWorkers* workers) { files_.use_workers(workers); }

  // Adds to what is gathered for the connection.
  void write(Connection& connection, std::string_view bytes);
  // An answer with what goes around it. Small ones are gathered, large ones leave from where they
  // are, behind what is gathered. `body`: moved instead of copied if it owns its bytes and must
  // wait.
  void write_framed(Connection& connection, std::string_view head, Answer& body,
                    std::string_view tail);
  // The same for a part of a file.
  void write_file(Connection& connection, std::string_view head, const FileRange& range,
                  std::string_view tail);
  // A part of a file of this connection was read.
  void take_back(Connection& connection, DiskRead& read);
  // It has used up its share of an earlier turn.
  void go_on(Connection& connection) {
    if (!connection.sends_on()) return;
    connection.rare->sends_on = false;
    resume(connection);
  }
  // A client that must not take for the whole what it has got.
  void cut(Connection& connection, CloseReason reason) { files_.cut(connection, reason); }
  // Sends what is gathered: for anyone, or for this connection.
  void flush();
  void flush(const Connection& connection) {
    if (gather_.is_of(connection)) flush();
  }
  bool has_gathered() const { return !gather_.is_empty(); }
  bool has_gathered(const Connection& connection) const { return gather_.is_of(connection); }
  // Forgets what is gathered for a connection that closes.
  void drop_gathered(const Connection& connection);

  // Sends pieces in order; what the socket does not take goes to the write queue. `owner`: the
  // answer whose bytes are piece 2, moved or shared instead of copied if it keeps them.
  void send(Connection& connection, const Pieces& pieces, Answer* owner) {
    if (connection.has_layers()) return send_through(connection, pieces, {.answer = owner});
    send_raw(connection, pieces, {.answer = owner});
  }
  // The same of bytes that its transport layers have made.
  void send_raw(Connection& connection, std::string_view bytes) {
    send_raw(connection, {bytes, {}, {}, {}}, {});
  }
  // The same for one piece, where nothing waits. False: a part of it waits now, or the connection
  // is closed.
  bool send_alone(Connection& connection, std::string_view bytes, Answer* owner);
  // A push of the policy `latest`, in one piece or several, with nothing gathered. Not gathered
  // with others: of bytes that have not begun to leave, a newer value takes the place.
  void send_latest(Connection& connection, std::span<ChargedBytes> pieces);
  // Behind what waits already. Small ones are gathered, large ones leave from where they are.
  void send_kept(Connection& connection, ChargedBytes bytes);
  // The same of a whole push: small ones that must wait are copied behind each other.
  void send_push(Connection& connection, ChargedBytes bytes);
  // What waits in front of the layers goes through them now, for another one begins.
  void push_through(Connection& connection);

  // Its transport layers say their last words, once all else has left. Nothing is gathered.
  void finish_layers(Connection& connection);

  // The driver says that there is room, or a clock asks.
  void resume(Connection& connection);
  // Nothing is with the driver any more: it is the socket's, or in the write queue.
  void settle(Connection& connection);
  // What the driver had taken and could not send.
  void take_back(Connection& connection, std::span<const char> bytes, int error);
  // A send of a data worker has failed. True: the connection lives on, for the kernel is out of
  // memory for a moment.
  bool note_failure(Connection& connection, int error);

  // True if the loop may write to this connection now. False: a data worker is writing, and its job
  // comes home soon.
  bool owns_writing(Connection& connection);
  // Lends the send direction to a job for a data worker, if the loop will not need it before the
  // job is back.
  void grant_writing(Connection& connection, Job& job);

  // The loop ends: the books of buffers are closed with it.
  void end() {
    gather_.end();
    files_.end();
  }

 private:
  static constexpr size_t kCopyBytesMax = 8 << 10;  // larger answers are sent from where they are

  // Who keeps the bytes of piece 2.
  struct Owner {
    Answer* answer = nullptr;
    ChargedBytes* bytes = nullptr;
  };

  void send_raw(Connection& connection, const Pieces& pieces, const Owner& owner);
  void send_through(Connection& connection, const Pieces& pieces, const Owner& owner);
  size_t send_piece_through(Connection& connection, std::string_view piece) REQUIRES(loop_);
  void send_plain_through(Connection& connection) REQUIRES(loop_);
  void keep_unsent(Connection& connection, const Pieces& pieces, Sent result, const Owner& owner)
      REQUIRES(loop_);
  [[nodiscard]] bool keep(WriteQueue& queue, const Pieces& pieces, size_t sent, const Owner& owner);
  [[nodiscard]] bool send_now(Connection& connection, std::span<ChargedBytes> pieces, size_t& sent)
      REQUIRES(loop_);
  // Where bytes wait that have not gone through any layer.
  static WriteQueue& queue_of(Connection& connection) {
    return connection.has_layers() ? connection.rare->layers->plain() : connection.out;
  }
  [[nodiscard]] bool keep_owned(WriteQueue& queue, const Owner& owner, size_t skip, bool& is_kept);
  [[nodiscard]] bool send_file(Connection& connection) REQUIRES(loop_);
  [[nodiscard]] bool send_queued(Connection& connection) REQUIRES(loop_);
  void note_taken(Connection& connection, size_t bytes) REQUIRES(loop_);
  Sent send_settled(Connection& connection, std::span<const iovec> pieces) REQUIRES(loop_);
  void after_write(Connection& connection) REQUIRES(loop_);

  ServerContext& context_;
  EventLoop& loop_;
  const Driver::Traits driver_;
  Turn& turn_;
  Ending& ending_;
  Clocks& clocks_;
  Gather gather_;
  FileSending files_;
  std::string through_;  // what layers have made
};

inline bool Sender::send_alone(Connection& connection, std::string_view bytes, Answer* owner) {
  loop_.assume_held();
  const iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
  const Sent result = loop_.driver().send(connection, std::span(&piece, 1));
  if (result.bytes == bytes.size()) {
    connection.times.last_activity = loop_.now();
    return true;
  }
  keep_unsent(connection, {"", "", bytes}, result, {.answer = owner});
  return false;
}

}}  // namespace trireme
