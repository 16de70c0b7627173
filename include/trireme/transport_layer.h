// Transport layers: what stands between the socket of a connection and its codec, such as the PROXY
// protocol, or TLS.
//
// Step 2, and 6 for what is sent. Thread: the holder of the loop.
//
// A layer is pure, like a codec: bytes go in; plain bytes, bytes for the peer and facts come out.
// It does no I/O, and has no clock and no thread. A listener has a chain of them, the outermost
// next to the socket; each of its connections has objects of its own, made when it is accepted:
//
//   socket --> layer 0 --> layer 1 --> codec       received bytes, from layer to layer
//   socket <-- layer 0 <-- layer 1 <-- replies     sent bytes, the other way
//
// The life of a layer:
//
//    .-------> kWantsJob           compute() runs on another thread; its result is one of those
//    v                             that an arrow leads to
//   kShaking ------> kOpen ------> (the connection ends: finish_sending, if it ends in good order)
//       |              |
//       '--> kTransparent          it has nothing more to do, and is taken off: without layers a
//       |              |           connection is as fast, and as small, as one that never had any
//       '--> kFailed <-'           the connection ends
//
// 1. Nobody above knows of a connection before all of its layers are open or taken off: there is no
//    session, no request, no reply, and no push reaches it. Then its session is made, which sees
//    the address and the facts that were told.
// 2. The handshakes of all layers together have `Limits::handshake_time_max`.
// 3. A drain closes a connection whose handshake is not done as soon as what had arrived is read.
// 4. FIN follows what finish_sending has added. The peer may go on sending until its own end.
// 5. While a connection has a layer, data workers do not write to it: their replies go home.
// 6. A step of a handshake that computes for long, such as a signature, is a job: receive() takes
//    the bytes and says kWantsJob. Then compute() runs on a thread for such jobs (`layer-N`, see
//    ServerOptions::layer_workers), also while every data worker is in a handler; under
//    Dispatch::kInline the loop runs it. Meanwhile the job owns the layer. Received bytes wait in
//    front of all layers, and reading stops at `read_ahead_bytes_max`. `handshake_time_max` stands
//    still. A connection that closes frees its slot when the job has returned.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "trireme/layer_facts.h"

namespace trireme { inline namespace v0 {

// An address that a layer tells, in the order of the network.
struct ToldAddress {
  std::array<uint8_t, 16> host{};
  uint8_t host_bytes = 0;  // 4 of IPv4, 16 of IPv6, 0: none is told
  uint16_t port = 0;

  friend bool operator==(const ToldAddress&, const ToldAddress&) = default;
};

// What a layer makes of what it has received. The strings are to be appended to; what others have
// left there is not the layer's.
struct LayerOutput {
  std::string plain{};      // for the layer above, or the codec
  std::string to_peer{};    // for the layer below, or the socket
  bool peer_ended = false;  // the peer will say nothing more
  // With kFailed, when the stream has ended: without the words with which this layer ends. The
  // connection is closed with kCut, and nothing is logged: many clients do that.
  bool is_cut = false;
  // With kFailed: the peer speaks what is above, without this layer. If the codec has last words
  // for that (Codec::last_words, kLayerFailed), they go out as they are.
  bool is_bare = false;
  // For the log, at debug level: a sentence about the client without its end, such as "it sends the
  // alert unknown ca".
  std::string note{};
  // While it is shaking only.
  LayerFacts facts{};
  ToldAddress address{};  // of the client, in place of the one of the socket
};

enum class LayerState : uint8_t {
  kShaking,
  kOpen,
  kTransparent,
  kFailed,
  kWantsJob,  // out of kShaking, by receive() only
};

// One layer of one connection. It must not block. An exception ends the connection.
class TransportLayer {
 public:
  virtual ~TransportLayer() = default;

  // Loop thread. `bytes` have come from below, borrowed for the call, or with `ended` none will
  // come any more. Takes all of them; what stands behind the last byte of a layer that is
  // transparent now is left there, and is input of the layer above.
  virtual LayerState receive(std::string_view& bytes, bool ended, LayerOutput& out) = 0;
  // Any thread, after kWantsJob, while nobody else is at the layer. Does what takes long with what
  // receive() has kept. It must not block: it holds up other handshakes, and the end of the server.
  // Says kShaking, kOpen or kFailed.
  virtual LayerState compute(LayerOutput&) { return LayerState::kFailed; }
  // Loop thread, in kOpen. Appends to `to_peer` what becomes of `plain`. False: it has failed.
  [[nodiscard]] virtual bool send(std::string_view plain, std::string& to_peer) = 0;
  // Loop thread, in kOpen, once. Nothing more will be sent: appends the last words of the layer.
  virtual void finish_sending(std::string&) {}
  // Loop thread. Bytes that it keeps between two calls: they count against the budget.
  virtual size_t bytes_held() const { return 0; }
  // Loop thread, in kFailed. What is wrong, for the log: a sentence without its end.
  virtual std::string failure() const { return "its handshake has failed"; }
};

// Makes the layers of connections. One immutable object for a listener; several threads call it at
// once.
class LayerFactory {
 public:
  virtual ~LayerFactory() = default;
  // Any thread. For the log, such as "proxy". A constant.
  virtual std::string_view name() const = 0;
  // Loop thread. For a client at `peer`, such as "127.0.0.1:4711", as its socket tells it.
  virtual std::unique_ptr<TransportLayer> make(std::string_view peer) const = 0;
};

}}  // namespace trireme
