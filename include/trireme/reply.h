// Step 5, reply: the right to answer one request, now or later, from any thread.
#pragma once

#include <cstdint>

#include "trireme/answer.h"
#include "trireme/peer.h"

namespace trireme { inline namespace v0 {

// Move-only: at most one answer is in the type. One that is dropped unanswered sends the codec's
// error reply, so no client waits for ever. May outlive the connection and the server; then the
// answer is dropped and counted.
class Reply {
 public:
  Reply(ConnectionId id, uint64_t request_number, detail::ContextRef context);
  Reply(Reply&& other) noexcept;
  Reply& operator=(Reply&& other) noexcept;
  Reply(const Reply&) = delete;
  Reply& operator=(const Reply&) = delete;
  ~Reply();

  // Any thread. Never blocks, never runs user code. A view in `answer` is copied before this
  // returns.
  void send(Answer answer) &&;

  Peer peer() const { return Peer(id_, context_); }

 private:
  void deliver(Answer answer);

  ConnectionId id_;
  uint64_t request_number_ = 0;
  detail::ContextRef context_;  // empty once answered or moved from
};

}}  // namespace trireme
