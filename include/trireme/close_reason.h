// Why a connection ended. Every connection has exactly one reason, which the statistics count.
//
// Thread: any.
#pragma once

#include <cstdint>
#include <string_view>

namespace trireme { inline namespace v0 {

enum class CloseReason : uint8_t {
  // The peer ended its stream, or said goodbye, and got all its replies; or it ended, with
  // HalfClose::kGone.
  kPeerClosed,
  kReset,  // the peer reset the connection, or the network did
  // Peer::close(), Answer::close_after(), an encoder that ends it, or a session's constructor that
  // threw.
  kClosedByHandler,
  kProtocolError,   // the codec refused the input for good
  kIdleTimeout,     // no traffic for `Limits::idle_time_max`
  kRequestTimeout,  // a request was not whole after `Limits::request_time_max`
  kWriteTimeout,    // the peer did not take its replies for `Limits::write_time_max`
  kSlowConsumer,    // a push found the queue full and its policy was Overflow::kClose
  kOutOfMemory,     // the byte budget of the process was used up
  // Every slot is held by a handler that outlives its connection; or, of the address that a PROXY
  // header tells, as many are open as may be.
  kRefused,
  kDrained,           // the server went down in good order
  kDrainCut,          // the server went down and the drain deadline came first
  kSystemError,       // the kernel failed a call that should not fail
  kCodecError,        // the codec threw, or made another mistake (codec.h); the log names it
  kSilentTimeout,     // not one byte in either direction for `Limits::first_byte_time_max`
  kLayerFailed,       // a transport layer has given up: no valid PROXY header; the log says why
  kHandshakeTimeout,  // the handshakes of its layers took over `Limits::handshake_time_max`
  kCut,               // the stream ended without the last words of a layer, such as close_notify
  kSlowStream,        // a stream came, or was taken, more slowly than `Limits::stream_rate_min`
  kFileCut,           // a file had become shorter, or could not be read, while it was sent
  kReplyCut,  // a streamed reply was given up in its midst, or its deadline has passed there
};
inline constexpr int kCloseReasonCount = 20;

// Any thread. A name for logs and statistics, such as "peer closed". The text is a constant.
std::string_view to_string(CloseReason reason);

}}  // namespace trireme
