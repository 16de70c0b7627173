// WebSocket as the codec of one connection, behind its handshake.
//
// Step 3 and 5. Thread: the holder of the loop for the decoder; any for the rest.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "http/serving/upgraded.h"
#include "http/websocket/deflate.h"
#include "http/websocket/frames.h"
#include "http/websocket/handshake.h"
#include "trireme/codec.h"
#include "trireme/http/websocket.h"

namespace trireme { inline namespace v0 { namespace http {

// Of a route: what its connections share.
struct WebSocketRoute {
  WebSocketOptions options{};
  HandshakeOptions handshake{};
  std::unique_ptr<detail::WebSocketFactory> factory{};
  mutable Deflating deflating{};
};

namespace detail {

// What codec, session and handles of one WebSocket share.
class WebSocketShared {
 public:
  WebSocketShared(std::shared_ptr<const WebSocketRoute> route, Handshake handshake)
      : route_(std::move(route)),
        subprotocol_(std::move(handshake.subprotocol)),
        deflate_(handshake.deflate) {}

  const WebSocketRoute& route() const { return *route_; }
  const std::string& subprotocol() const { return subprotocol_; }
  bool deflates() const { return deflate_.has_value(); }
  // The decoder has heard of the client; whether it has, since the last call of this.
  void note_heard() const { heard_.store(true, std::memory_order_relaxed); }  // a hint
  bool take_heard() const { return heard_.exchange(false, std::memory_order_relaxed); }
  // Whether it is the first close of this WebSocket: then `words`, a Close frame, leave last.
  bool close(std::string words) const;
  bool is_closing() const { return closing_.load(std::memory_order_relaxed); }  // a hint
  std::string last_words() const;
  // A message as a frame.
  std::string frame(Opcode opcode, std::string_view bytes) const;
  // Whether the frame that others get, deflated with the full window, is for this client.
  bool deflates_fully() const { return deflate_ && deflate_->server_window_bits == 15; }

 private:
  std::shared_ptr<const WebSocketRoute> route_;  // owners: the routes, and open WebSockets
  std::string subprotocol_;
  std::optional<DeflateTerms> deflate_;
  mutable std::atomic<bool> heard_{true};
  mutable std::atomic<bool> closing_{false};
  mutable std::mutex words_mutex_;
  mutable std::string words_;
};

// A message for many, in the at most two forms that clients want.
class PreparedFrames {
 public:
  PreparedFrames(Opcode opcode, std::string_view message)
      : opcode_(opcode), message_bytes_(message.size()), plain_(frame_of(opcode, message)) {}

  const SharedBytes& plain() const { return plain_; }
  // Any thread: the first one deflates, others wait for it. Empty: it would not be shorter.
  const SharedBytes& deflated(Deflating& deflating) const;
  size_t message_bytes() const { return message_bytes_; }

 private:
  const Opcode opcode_;
  const size_t message_bytes_;
  const SharedBytes plain_;
  mutable std::once_flag once_;
  mutable SharedBytes deflated_;
};

}  // namespace detail

// The bytes that a decoder leaves with a message.
struct MessageTag {
  bool is_text = true;
  bool is_deflated = false;  // still: the handler's thread inflates it
  uint64_t bytes_max = 0;    // of what it inflates to
};

class WebSocketDecoder final : public ConnectionDecoder {
 public:
  WebSocketDecoder(std::shared_ptr<const detail::WebSocketShared> shared, uint32_t kind)
      : shared_(std::move(shared)), kind_(kind) {}

  void decode(std::span<char> input, bool ended, size_t frame_bytes_max,
              DecodedFrame& out) override;
  size_t bytes_held() const override { return reader_.bytes_held(); }
  bool is_in_frame() const override { return reader_.in_message(); }

 private:
  void take_message(FrameReader::Found& found, uint64_t bytes_max, DecodedFrame& out) const;
  static void fail(uint16_t code, DecodedFrame& out);

  std::shared_ptr<const detail::WebSocketShared> shared_;  // owners: as of the codec
  FrameReader reader_;
  uint32_t kind_;
};

class WebSocketCodec final : public Codec {
 public:
  WebSocketCodec(std::shared_ptr<const detail::WebSocketShared> shared, uint32_t kind)
      : shared_(std::move(shared)), kind_(kind) {}

  std::unique_ptr<ConnectionDecoder> make_decoder() const override {
    return std::make_unique<WebSocketDecoder>(shared_, kind_);
  }
  bool decodes_ahead() const override { return true; }
  bool has_fixed_envelope() const override { return true; }  // nothing
  ErrorReply error_reply(const FailedRequest& failed) const override;
  bool clients_return() const override { return true; }
  std::string last_words(CloseReason reason) const override;

 private:
  std::shared_ptr<const detail::WebSocketShared> shared_;  // owners: codec, session, handles
  uint32_t kind_;
};

// The user's session behind the server's calls.
class WebSocketUpgraded final : public Upgraded {
 public:
  WebSocketUpgraded(std::shared_ptr<const detail::WebSocketShared> shared, Peer peer,
                    std::unique_ptr<detail::WebSocketSession> session)
      : shared_(std::move(shared)), peer_(std::move(peer)), session_(std::move(session)) {
    set_ping_timer();
  }

  void on_request(const trireme::Request& request, trireme::detail::Responder& responder) override;
  void on_timer(uint64_t tag) override;
  void on_writable() override { session_->on_writable(); }
  void on_drain() override { session_->on_drain(); }
  void on_close(CloseReason reason) override { session_->on_close(reason); }

 private:
  static constexpr uint64_t kPingTag = WebSocket::kTagsEnd;

  void set_ping_timer() const;

  std::shared_ptr<const detail::WebSocketShared> shared_;
  Peer peer_;
  std::unique_ptr<detail::WebSocketSession> session_;
};

}}}  // namespace trireme::http
