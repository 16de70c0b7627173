// What goes around a reply, or a push, of a connection: its codec is asked, and believed only after
// a look at what it says.
//
// Step 5. Thread: the holder of the loop. Bounded: memory for one head and one tail a loop.
#pragma once

#include <string>
#include <string_view>

#include "connection/connection.h"
#include "connection/turn.h"

namespace trireme { inline namespace v0 {

class Framer {
 public:
  explicit Framer(const Turn& turn) : turn_(turn) {}

  // Around an answer of bytes. Good until the next call.
  struct Framed {
    std::string_view head{}, tail{};
    bool drops_body = false;
    bool closes = false;  // the encoder wants the connection to end behind it
  };
  enum class Of : uint8_t { kReply, kPush };
  // False: the codec has made a mistake.
  [[nodiscard]] bool frame(const Connection& connection, const ReplyTag& tag, const Answer& answer,
                           Framed& into, std::string& mistake, Of of = Of::kReply);
  // Around a part of a streamed reply. Likewise.
  struct Part {
    enum class Of : uint8_t { kBegin, kPiece, kEnd } of;
    const ReplyTag& tag;
    const Answer& head;
    uint64_t bytes = 0;  // of a piece
  };
  [[nodiscard]] bool frame_part(const Connection& connection, const Part& part, Framed& into,
                                std::string& mistake);
  // Of an answer that is an error or a refusal. Likewise.
  [[nodiscard]] static bool ask_error_reply(const Connection& connection, const RequestMark& mark,
                                            const Answer& answer, ErrorReply& into,
                                            std::string& mistake);

 private:
  [[nodiscard]] bool encode(const Connection& connection, const OutgoingReply& reply, Framed& into,
                            std::string& mistake);
  [[nodiscard]] bool add_envelope(const Connection& connection, const Part& part,
                                  std::string& mistake);
  [[nodiscard]] bool is_within_bounds(std::string& mistake) const;
  bool is_last(const Connection& connection, uint64_t in_flight) const;

  const Turn& turn_;
  Envelope envelope_;
  EncodedReply encoded_;
};

}}  // namespace trireme
