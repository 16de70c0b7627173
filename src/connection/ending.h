// How connections end: the steps of Life, with what each costs the socket, the jobs and the books.
//
// Steps 2 to 6. Thread: the holder of the loop. Bounded: every step waits for a clock (Clocks), for
// handlers, or for the driver to give its channel back.
#pragma once

#include <string>
#include <string_view>

#include "connection/connection.h"
#include "roster/server_context.h"

namespace trireme { inline namespace v0 {

class Cancels;
class Clocks;
class Finisher;
class Layers;
class Sender;
class Slots;
class Strand;
class Turn;

class Ending {
 public:
  Ending(ServerContext& context, EventLoop& loop, Slots& slots, Turn& turn, Sender& sender,
         Clocks& clocks, Finisher& finisher, Strand& strand, Cancels& cancels, Layers& layers)
      : context_(context),
        loop_(loop),
        books_(context.books(loop.index())),
        slots_(slots),
        turn_(turn),
        sender_(sender),
        clocks_(clocks),
        finisher_(finisher),
        strand_(strand),
        cancels_(cancels),
        layers_(layers) {}

  // The server drains. What has arrived by now will be answered: bytes that wait in the kernel
  // count as arrived.
  void drain(Connection& connection);
  // In good order: no further requests, replies to those that were read, FIN.
  void finish(Connection& connection, CloseReason reason);
  // Our direction alone, behind what is queued and the replies to requests that were read by now.
  void end_output(Connection& connection);
  // The codec has made a mistake, of which `what` tells: nothing more is decoded, replies to what
  // was read leave.
  void fail_codec(Connection& connection, std::string_view what);
  // A transport layer has given up. `has_words`: what it has sent is to reach the client first.
  void fail_layers(Connection& connection, std::string_view why, bool has_words);
  // Calls its layers. False: they have failed, or thrown, or found no memory; then it has ended, or
  // is about to.
  template <class Call>
  [[nodiscard]] bool guard_layers(Connection& connection, Call call) {
    try {
      if (call()) return true;
      fail_layers(connection, connection.rare->layers->failure(), false);
    } catch (...) {
      note_layer_threw(connection);
    }
    return false;
  }
  // The codec has last words for an ending of this reason; then finish() says them.
  bool has_words(Connection& connection, CloseReason reason);
  std::string last_words(Connection& connection, CloseReason reason);
  // True: its first bytes are the hello of TLS, and its codec is one of text. It is closed.
  [[nodiscard]] bool refuse_tls(Connection& connection, std::string_view first);
  // Takes the next step of an ending, if its time has come.
  void step(Connection& connection);
  // At once. Its running handlers are told; their replies will be dropped. Requests that wait for a
  // data worker are never started.
  void close(Connection& connection, CloseReason reason);
  // One that never had a socket: the driver has refused it.
  void close_unattached(Connection& connection, CloseReason reason);
  // The data worker that wrote is home. True: that was waited for, and the connection is closed.
  bool close_if_due(Connection& connection);
  // Gives the slot back when nothing refers to it any more.
  void try_release(Connection& connection);

  // Bytes, or the end of stream (0), for a connection that is not open: they are discarded.
  void discard(Connection& connection, size_t bytes);
  // Lingering. Closing with unread input resets the connection, and a reset destroys what is still
  // in our send buffer: a client that reads slowly gets the time of the write clock instead.
  bool has_taken_all(Connection& connection);

 private:
  void note_layer_threw(Connection& connection);
  [[nodiscard]] bool flush_all(Connection& connection) REQUIRES(loop_);
  void send_output_end(Connection& connection) REQUIRES(loop_);
  void send_rest(Connection& connection) REQUIRES(loop_);
  void linger(Connection& connection) REQUIRES(loop_);
  void say_goodbye(Connection& connection);
  void drop_input(Connection& connection);
  void note_gone(Connection& connection, CloseReason reason) REQUIRES(loop_);

  ServerContext& context_;
  EventLoop& loop_;
  Books& books_;
  Slots& slots_;
  Turn& turn_;
  Sender& sender_;
  Clocks& clocks_;
  Finisher& finisher_;
  Strand& strand_;
  Cancels& cancels_;
  Layers& layers_;
};

}}  // namespace trireme
