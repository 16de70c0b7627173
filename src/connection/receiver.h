// From received bytes to requests: the only place where the bytes of connections arrive, and where
// their decoders are asked. Where there are transport layers, the bytes go through them first.
//
// Steps 2 and 3. Thread: the holder of the loop. The connection whose bytes they are is at hand
// (Turn) until nothing more can be done for it: then end_turn. Bounded: of one connection
// Turn::kFramesMax frames in a turn; what cannot start waits in its InputBuffer, and back-pressure
// (balance_reading) bounds that.
#pragma once

#include "connection/connection.h"
#include "connection/dispatcher.h"
#include "connection/fast_path.h"
#include "connection/layers.h"
#include "connection/replies.h"
#include "connection/turn.h"
#include "handling/crew.h"
#include "roster/server_context.h"

namespace trireme { inline namespace v0 {

class Clocks;
class Cancels;
class ObjectDecoding;
class Strand;

class Receiver {
 public:
  // What it uses of its loop.
  struct Parts {
    ServerContext& context;
    EventLoop& loop;
    Books& books;
    HeldLoop& held;
    InputBlocks& input_blocks;
    Turn& turn;
    Dispatcher& dispatcher;
    Sender& sender;
    Replies& replies;
    Ending& ending;
    Strand& strand;
    Cancels& cancels;
    Clocks& clocks;
    FastPath& fast_path;
    Layers& layers;
    ObjectDecoding& objects;
  };
  explicit Receiver(const Parts& parts) : parts_(parts) {}

  // Bytes, an end or an error of a connection (kReceived). The job to run on this thread, if it is
  // known at once; else the connection is at hand, unless it has ended.
  Job* receive(Connection& connection, const Completion& completion);
  // A job of a transport layer has come home. If its connection lives, that is at hand.
  void take_back(LayerJob& job);
  // The next job of the connection at hand that is to run on this thread; jobs for data workers are
  // put aside on the way. Null: nothing can be started now.
  Job* pump(Connection& connection);
  // The end of what can be done for the connection at hand: its rest is kept, its replies leave,
  // its clocks are set.
  void end_turn();
  // Its next request may start, as far as is known without looking for one.
  bool may_start(const Connection& connection) const;

  // For ObjectDecoding, too. The job of a request that was read and is opened now, with what its
  // decoder has left. Null: there is no memory for one, and the connection is closed.
  Job* open_request(Connection& connection, const RequestMark& mark);
  // The same for one that finds no memory before.
  Job* drop_request(Connection& connection);
  // What the codec has found and is no request; it is consumed. True: there may be one behind it.
  bool take_no_request(Connection& connection, const Frame& frame);
  // Likewise for a frame that it refuses.
  bool refuse(Connection& connection, const Frame& frame, const RequestMark* mark);

 private:
  Job* open(Connection& connection, const RequestMark* mark);
  Job* take_whole(Connection& connection, std::string_view input) REQUIRES(parts_.loop);
  void take(Connection& connection, const Completion& completion) REQUIRES(parts_.loop);
  void take_layered(Connection& connection, std::string_view raw) REQUIRES(parts_.loop);
  void take_plain(Connection& connection, const Layers::Plain& plain) REQUIRES(parts_.loop);
  void go_on(Connection& connection) REQUIRES(parts_.loop);
  void keep(Connection& connection, std::string_view received);
  void note_end(Connection& connection);
  void note_decoding(const Connection& connection);
  bool has_no_input(const Connection& connection) const;
  Job* next_of_both(Connection& connection) REQUIRES(parts_.loop);
  Job* next_request(Connection& connection) REQUIRES(parts_.loop);
  Job* decode(Connection& connection) REQUIRES(parts_.loop);
  bool take_incomplete(Connection& connection, const Frame& frame);
  Job* make_request(Connection& connection, std::string_view input, const Frame& frame,
                    bool in_read_buffer);
  void add_requests(Connection& connection, Job& job);
  void fail_codec(Connection& connection);
  void balance_reading(Connection& connection) REQUIRES(parts_.loop);

  const Parts parts_;
  DecodeNotes notes_;
};

}}  // namespace trireme
