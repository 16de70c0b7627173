// Step 5, reply: a reply that is given piece by piece, before its end is known.
//
// Thread: any, one at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "trireme/bytes.h"
#include "trireme/peer.h"
#include "trireme/request.h"

namespace trireme { inline namespace v0 {

class StreamCore;

enum class StreamResult : uint8_t {
  kQueued,  // will be sent unless the connection ends first
  // Nothing was queued: the client has not taken `Limits::write_bytes_high` of this stream, or the
  // byte budget is used up.
  kFull,
  // Nobody takes more: the client is gone, the deadline has passed, finish() was called, or the
  // codec has no reply of this kind.
  kClosed,
};

// The rest of a streamed reply, made by Reply::stream(). It moves and does not copy. What is
// written leaves in its turn, piece by piece, and nothing else stands between two pieces: pushes
// wait, and so do replies to later requests. With Ordering::kUnordered a piece is framed by itself,
// and others may stand between two of them.
//
// A ReplyStream that is destroyed without finish() is an error that the client sees: its connection
// is reset with CloseReason::kReplyCut; before anything of the reply has left, the codec's error
// reply takes its place.
class ReplyStream {
 public:
  ReplyStream() = default;  // kClosed
  // Any thread. For the server.
  ReplyStream(ConnectionId id, uint64_t request_number, detail::ContextRef context,
              std::shared_ptr<StreamCore> core, std::chrono::steady_clock::time_point deadline);
  ReplyStream(ReplyStream&& other) noexcept = default;
  ReplyStream& operator=(ReplyStream&& other) noexcept;
  ReplyStream(const ReplyStream&) = delete;
  ReplyStream& operator=(const ReplyStream&) = delete;
  ~ReplyStream();

  // Any thread, but no loop code. Queues `bytes`; blocks while the client has too much to take. In
  // a handler it gives the loop away first, as all that waits does, and needs a permit to wait
  // (docs/streams.md): without one, as under Dispatch::kInline, it returns kFull instead. Ends when
  // the client is gone or the deadline of the request has passed, with kClosed. A drain of the
  // server lets it go on.
  StreamResult write(Bytes bytes);
  // Any thread. The same without waiting. After kFull the session of the connection is told when
  // there is room again: on_writable(). `bytes` are left as they were unless they were queued.
  StreamResult try_write(Bytes& bytes);
  StreamResult try_write(Bytes&& bytes) { return try_write(bytes); }
  // Any thread. The reply ends behind what was written. Never blocks.
  void finish();

  // Any thread. As Reply::cancelled(); nothing after finish().
  Cancellation cancelled() const;
  // Any thread. The client of the request.
  Peer peer() const { return Peer(id_, context_); }

 private:
  StreamResult put(Bytes& bytes);
  void drop();

  ConnectionId id_;
  uint64_t request_number_ = 0;
  detail::ContextRef context_;        // empty once finished or moved from
  std::shared_ptr<StreamCore> core_;  // owners: this, and what has been written
  std::chrono::steady_clock::time_point deadline_;
};

}}  // namespace trireme
