// The bodies of requests that are read in parts: from the frames of a decoder to the handler that
// reads, or, gathered, to the request whose handler starts when all is there.
//
// Step 3. Thread: the holder of the loop. The connection is at hand (Turn). Bounded: one body of a
// connection is on its way; what waits of it is bounded by its IncomingBody; when nobody reads any
// more, linger_bytes_max bytes are thrown away, then the connection ends.
#pragma once

#include "connection/connection.h"
#include "connection/turn.h"
#include "roster/server_context.h"

namespace trireme { inline namespace v0 {

class Clocks;
class Dispatcher;
class Ending;
class Strand;

class Bodies {
 public:
  // What it uses of its loop.
  struct Parts {
    ServerContext& context;
    Turn& turn;
    Ending& ending;
    Clocks& clocks;
    Strand& strand;
    Dispatcher& dispatcher;
  };
  explicit Bodies(const Parts& parts) : parts_(parts) {}

  // Before start(). There are other threads. Without, who reads while parts come would wait for
  // ever: every body is gathered.
  void let_handlers_wait() { handlers_wait_ = true; }

  // Null, or why this frame may not be here.
  static const char* mistake_in(const CodecState& state, const DecodedFrame& frame);
  // Looks at a frame that was found, and is consumed: a request with a body, a part of one, or the
  // end of one. What is no frame for others becomes kIncomplete, or kSkip. False: the connection
  // ends.
  [[nodiscard]] bool take(Connection& connection, CodecState::Found& found);
  // A request whose body has been gathered. False: there is none.
  static bool take_whole(Connection& connection, CodecState::Found& found);
  // The job that writes a part of a body to its file is home.
  void note_written(Connection& connection, Job& job);
  // Nothing is to be decoded until there is room for it; that comes as a kMailBody, or with the end
  // of the job that brings a part to the session. The parts of one body come before the next.
  static bool awaits_room(const Connection& connection) {
    const CodecState* const state = connection.codec_state();
    if (state == nullptr) return false;
    if (state->has_body()) return state->incoming.body->awaits_room();
    return connection.events() != nullptr && connection.events()->body != nullptr;
  }

 private:
  [[nodiscard]] bool begin(Connection& connection, CodecState::Found& found);
  [[nodiscard]] bool take_part(Connection& connection, CodecState::Found& found);
  void end(Connection& connection);
  [[nodiscard]] bool write(Connection& connection);
  bool close(Connection& connection);

  const Parts parts_;
  bool handlers_wait_ = false;
};

}}  // namespace trireme
