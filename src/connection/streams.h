// Streamed replies in the loop of their connection: their pieces leave in their turn.
//
// Step 5. Thread: the holder of the loop. Bounded: see open_streams.h.
//
//   begin --> held --> its turn: head, pieces --> end: the next reply's turn
//     |         |                     |
//     |         |                     '-- given up, or late: the connection is reset
//     |         '-- given up, or late: an error reply in its place
//     '-- the request was answered already: the writer is told
#pragma once

#include <memory>

#include "connection/connection.h"
#include "connection/framer.h"
#include "roster/server_context.h"

namespace trireme { inline namespace v0 {

class Cancels;
class Ending;
class Finisher;
class Replies;
class Sender;

class Streams {
 public:
  // What it uses of its loop.
  struct Parts {
    ServerContext& context;
    EventLoop& loop;
    Books& books;
    Sender& sender;
    Replies& replies;
    Ending& ending;
    Cancels& cancels;
  };
  explicit Streams(const Parts& parts) : parts_(parts) {}

  // A part of a stream has come.
  void open(Connection& connection, StreamMail& mail);
  // For a connection that is gone.
  void refuse(const StreamMail& mail) { mail.core->end(parts_.context.platform.threads); }
  // The turn of request `number` has come. True: it was streamed, and all of it has left. False: it
  // was not, or more will come.
  [[nodiscard]] bool leave(Connection& connection, uint64_t number);
  // Request `number` has another answer: its deadline has passed. True: what has left of the stream
  // is a part of the reply already, and the connection is reset.
  [[nodiscard]] bool replace(Connection& connection, uint64_t number);
  // Nothing enters a streamed reply: pushes wait.
  static bool is_in_midst(const Connection& connection) {
    return connection.streams() != nullptr && !connection.listening->is_unordered &&
           connection.streams()->is_in_midst();
  }

 private:
  void begin(Connection& connection, StreamMail& mail);
  void give_up(Connection& connection, uint64_t number);
  void advance(Connection& connection, uint64_t number);
  [[nodiscard]] bool is_its_turn(const Connection& connection, uint64_t number) const;
  [[nodiscard]] bool write_all(Connection& connection, OpenStreams::Stream& stream);
  [[nodiscard]] bool write(Connection& connection, OpenStreams::Stream& stream, Framer::Part::Of of,
                           OpenStreams::Piece* piece);
  void end(Connection& connection, uint64_t number);
  void forget(Connection& connection, uint64_t number);

  const Parts parts_;
};

}}  // namespace trireme
