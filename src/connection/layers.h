// Received bytes of connections with transport layers, on their way to the codec; and what it means
// that their layers are through.
//
// Step 2. Thread: the holder of the loop. What is sent goes through the layers in Sender. A step of
// a layer that computes for long runs on a layer worker; where handlers run on the loop's thread by
// choice, so does this. Bounded: a chain has `handshake_time_max` until it is through (Clocks), and
// keeps what its layers keep, and read_ahead_bytes_max while a layer is lent (Receiver).
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "connection/connection.h"
#include "handling/side_workers.h"
#include "roster/server_context.h"

namespace trireme { inline namespace v0 {

class Clocks;
class Ending;
class Pushes;
class Sender;
class Turn;

class Layers {
 public:
  // What it uses of its loop.
  struct Parts {
    ServerContext& context;
    EventLoop& loop;
    Books& books;
    Turn& turn;
    Sender& sender;
    Pushes& pushes;
    Ending& ending;
    Clocks& clocks;
  };
  explicit Layers(const Parts& parts) : parts_(parts) {}

  // Before start().
  void use_workers(SideWorkers* workers) { workers_ = workers; }

  // A connection of a listener with layers begins. If they cannot be made: why it ends.
  [[nodiscard]] std::optional<CloseReason> begin(Connection& connection);

  // Behind an answer that has left: a layer begins, next to the codec. What had come by then is its
  // input; the next go_on() gives it that.
  void start(Connection& connection, const std::shared_ptr<const LayerFactory>& factory);

  // For the codec, good until the next call.
  struct Plain {
    std::string_view bytes{};
    bool is_raw = false;  // a part of what was given: the last layer was taken off
    bool peer_ended = false;
  };
  // Bytes of the socket, none for its end. False: there is nothing for the codec, and the
  // connection has ended, or ends.
  [[nodiscard]] bool receive(Connection& connection, std::string_view raw, Plain& into);
  // Behind receive(), and whenever it was true: the next step that is due without new bytes. A job
  // that a layer has asked for is done here, or handed over; what has waited for one is received.
  // False: there is nothing more to do now.
  [[nodiscard]] bool go_on(Connection& connection, Plain& into);
  // A job that is home, of a connection that is open. As receive().
  [[nodiscard]] bool take_back(Connection& connection, LayerJob& job, Plain& into);
  // A job that is home, of a connection that has ended, or ends: nobody wants what it has made.
  void put_back(Connection& connection, LayerJob& job);
  // The connection has closed. A job that nobody has begun is taken back.
  void withdraw(Connection& connection);
  // What waits for a job of this connection is so much that it reads no further.
  static bool is_full(const Connection& connection);

 private:
  void log_note(const Connection& connection);
  bool start_job(Connection& connection, Plain& into);
  void refuse(Connection& connection, std::string_view why);
  [[nodiscard]] bool use(Connection& connection, const LayerChain::Received& received,
                         bool was_open, bool ended, Plain& into);
  [[nodiscard]] bool judge(Connection& connection, const LayerChain::Received& received,
                           bool ended);
  [[nodiscard]] bool open(Connection& connection);
  [[nodiscard]] bool tell(const Connection& connection, LayerFacts facts);
  void note_not_made(const Listening& listening);
  [[nodiscard]] bool use_address(Connection& connection, const ToldAddress& told);

  const Parts parts_;
  SideWorkers* workers_ = nullptr;  // null: there is no other thread
  LayerChain::Scratch scratch_;
};

}}  // namespace trireme
