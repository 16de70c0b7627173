// What was sent to a connection without a request, Peer::send, in the loop of that connection: it
// leaves between replies, or meets its Overflow policy.
//
// Step 6. Thread: the holder of the loop. Bounded: a push is charged to the budget by its sender;
// over write_bytes_high its policy decides.
#pragma once

#include <memory>

#include "connection/sender.h"
#include "connection/slots.h"

namespace trireme { inline namespace v0 {

class Pushes {
 public:
  Pushes(ServerContext& context, Slots& slots, Turn& turn, Sender& sender, Ending& ending,
         Clocks& clocks)
      : context_(context),
        slots_(slots),
        turn_(turn),
        sender_(sender),
        ending_(ending),
        clocks_(clocks) {}

  void open(std::unique_ptr<PushMail> mail);
  // The data worker that wrote has come home: pushes that came meanwhile.
  void open_deferred(Connection& connection) {
    if (connection.rare != nullptr && connection.rare->deferred != nullptr) open_all(connection);
  }

 private:
  void open_all(Connection& connection);

  ServerContext& context_;
  Slots& slots_;
  Turn& turn_;
  Sender& sender_;
  Ending& ending_;
  Clocks& clocks_;
};

}}  // namespace trireme
