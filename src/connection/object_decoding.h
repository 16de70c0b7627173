// From received bytes to requests, for codecs whose connections have decoders of their own
// (trireme/decoder.h): one request a job, what the decoder answers by itself, and decoding ahead.
//
// Step 3. Thread: the holder of the loop. The connection is at hand (Turn). Bounded: as Receiver;
// what is decoded ahead as CodecState.
#pragma once

#include <string>

#include "connection/bodies.h"
#include "connection/connection.h"
#include "connection/turn.h"
#include "roster/server_context.h"

namespace trireme { inline namespace v0 {

class Clocks;
class Ending;
class Pushes;
class Receiver;
class Replies;
class Strand;

class ObjectDecoding {
 public:
  // What it uses of its loop.
  struct Parts {
    ServerContext& context;
    Books& books;
    Turn& turn;
    Pushes& pushes;
    Replies& replies;
    Ending& ending;
    Clocks& clocks;
    Strand& strand;
    Dispatcher& dispatcher;
    Receiver& receiver;
  };
  explicit ObjectDecoding(const Parts& parts)
      : parts_(parts),
        bodies_({parts.context, parts.turn, parts.ending, parts.clocks, parts.strand,
                 parts.dispatcher}) {}

  // Before start(). There are other threads than the holder's.
  void let_handlers_wait() { bodies_.let_handlers_wait(); }
  // As Bodies.
  void note_written(Connection& connection, Job& job) { bodies_.note_written(connection, job); }

  // For a connection that may start. Decodes until there is a request: its job. Refused frames are
  // answered on the way. Null: there is none now, or the connection ends.
  Job* decode(Connection& connection);
  // For a connection that may not: a handler runs, or a reply is due. Control frames are answered,
  // requests wait.
  void decode_ahead(Connection& connection);

 private:
  using Found = CodecState::Found;

  [[nodiscard]] bool ask(Connection& connection, Found& found);
  [[nodiscard]] bool make_decoder(Connection& connection);
  bool take(Connection& connection, Found& found, Job*& job);
  [[nodiscard]] bool answer_by_itself(Connection& connection, std::string bytes);
  Job* make_request(Connection& connection, Found& found);
  void end(Connection& connection, const Frame& frame);
  bool may_decode_ahead(const Connection& connection) const;
  void note_incomplete(Connection& connection);
  [[nodiscard]] bool keep(Connection& connection, Found& found);

  const Parts parts_;
  Bodies bodies_;
};

}}  // namespace trireme
