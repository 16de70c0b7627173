// Step 5, reply: the right to answer one request, now or later.
//
// Thread: any.
#pragma once

#include <chrono>
#include <cstdint>

#include "trireme/answer.h"
#include "trireme/peer.h"
#include "trireme/reply_stream.h"
#include "trireme/request.h"

namespace trireme { inline namespace v0 {

// The right to answer one request. It moves and does not copy, so there is at most one answer. A
// Reply that is destroyed unanswered sends the codec's error reply: no client waits for ever. It
// may outlive the connection and the server; then the answer is dropped and counted.
class Reply {
 public:
  // Any thread. For the server; `deadline` is that of the request.
  Reply(ConnectionId id, uint64_t request_number, detail::ContextRef context,
        std::chrono::steady_clock::time_point deadline =
            std::chrono::steady_clock::time_point::max());
  Reply(Reply&& other) noexcept;
  Reply& operator=(Reply&& other) noexcept;
  Reply(const Reply&) = delete;
  Reply& operator=(const Reply&) = delete;
  ~Reply();

  // Any thread. Answers. Never blocks, never runs user code. A view in `answer` is copied before
  // the call returns.
  void send(Answer answer) &&;

  // Any thread. Answers piece by piece. `head` says what with_head() tells the codec, and has no
  // bytes; close_after() holds behind the last piece. Bytes, an error, then() and then_layer() end
  // the process with a sentence. What the handler has pushed until now leaves before.
  ReplyStream stream(Answer head = Answer("")) &&;

  // Any thread. Whether anybody still waits for the answer, at this moment: the client is gone, the
  // deadline of the request has passed, or the server drains. Nothing after send().
  Cancellation cancelled() const;
  // Any thread. As Request::time_left().
  std::chrono::nanoseconds time_left() const;

  // Any thread. The client of the request; after send() a Peer that is connected to nothing.
  Peer peer() const { return Peer(id_, context_); }

 private:
  void deliver(Answer answer);

  ConnectionId id_;
  uint64_t request_number_ = 0;
  detail::ContextRef context_;  // empty once answered or moved from
  std::chrono::steady_clock::time_point deadline_;
};

}}  // namespace trireme
