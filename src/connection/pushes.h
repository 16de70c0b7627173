// What was sent to a connection without a request, Peer::send and Peer::push, in the loop of that
// connection: it leaves between replies, or meets its Overflow policy.
//
// Step 6. Thread: the holder of the loop. Bounded: a push is charged to the budget by its sender;
// over write_bytes_high its policy decides.
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "connection/framer.h"
#include "connection/sender.h"
#include "connection/slots.h"

namespace trireme { inline namespace v0 {

class Replies;

class Pushes {
 public:
  // What it uses of its loop.
  struct Parts {
    ServerContext& context;
    EventLoop& loop;
    Slots& slots;
    Turn& turn;
    Sender& sender;
    Replies& replies;
    Ending& ending;
    Clocks& clocks;
  };
  explicit Pushes(const Parts& parts) : parts_(parts) {}

  void open(std::unique_ptr<PushMail> mail, bool was_deferred = false);
  // Bytes of the connection's own decoder, to leave as a push does. Without memory it closes.
  void send_now(Connection& connection, std::string bytes);
  // The data worker that wrote, or the handler that switches, has come home: pushes that came
  // meanwhile.
  void open_deferred(Connection& connection) {
    if (connection.rare != nullptr && connection.rare->deferred != nullptr) open_all(connection);
  }

 private:
  static bool is_about_to_switch(const Connection& connection);
  void open_all(Connection& connection);
  void send_bytes(Connection& connection, PushMail& mail);
  void send_framed(Connection& connection, PushMail& mail);
  void send_shared(Connection& connection, const Framer::Framed& framed, PushMail& mail);
  [[nodiscard]] bool frame(Connection& connection, Answer& answer, Framer::Framed& framed,
                           bool& closes);
  [[nodiscard]] bool join(Connection& connection, std::initializer_list<std::string_view> pieces,
                          ChargedBytes& into);

  const Parts parts_;
};

}}  // namespace trireme
