// Received bytes of connections with transport layers, on their way to the codec; and what it means
// that their layers are through.
//
// Step 2. Thread: the holder of the loop. What is sent goes through the layers in Sender. Bounded:
// a chain has `handshake_time_max` until it is through (Clocks), and keeps what its layers keep.
#pragma once

#include <optional>
#include <string_view>

#include "connection/connection.h"
#include "roster/server_context.h"

namespace trireme { inline namespace v0 {

class Clocks;
class Ending;
class Sender;

class Layers {
 public:
  // What it uses of its loop.
  struct Parts {
    ServerContext& context;
    EventLoop& loop;
    Sender& sender;
    Ending& ending;
    Clocks& clocks;
  };
  explicit Layers(const Parts& parts) : parts_(parts) {}

  // A connection of a listener with layers begins. If they cannot be made: why it ends.
  [[nodiscard]] std::optional<CloseReason> begin(Connection& connection);

  // For the codec, good until the next call.
  struct Plain {
    std::string_view bytes{};
    bool is_raw = false;  // a part of what was given: the last layer was taken off
    bool peer_ended = false;
  };
  // Bytes of the socket, none for its end. False: there is nothing for the codec, and the
  // connection has ended, or ends.
  [[nodiscard]] bool receive(Connection& connection, std::string_view raw, Plain& into);

 private:
  [[nodiscard]] bool judge(Connection& connection, const LayerChain::Received& received,
                           bool ended);
  [[nodiscard]] bool open(Connection& connection);
  [[nodiscard]] bool use_address(Connection& connection, const ToldAddress& told);

  const Parts parts_;
  LayerChain::Scratch scratch_;
};

}}  // namespace trireme
