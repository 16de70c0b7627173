// Step 4, handling: the two forms of a user's code, a handler and a session class.
//
// Form (a), a handler: anything that can be called with a request, such as a lambda. Several
// threads call it at once, so it must be callable as const; a mutable lambda does not compile.
//
//   Answer handler(const Request& request);            // the answer now
//   void handler(const Request& request, Reply reply); // the answer now or later, from any thread
//
// Form (b), a session class: one object for each connection. It needs no base class. Callbacks of
// one session never run at the same time, whichever threads run them; with kPipelined or
// kUnordered, which need a session that declares `concurrent`, several on_request() may, and beside
// them one on_timer() or one function of Peer::call. All callbacks are optional, but a member of
// one of these names that cannot be called like this does not compile.
//
//   Session(Peer peer, Shared&... shared);       // when a client comes; or without the Peer
//   Answer on_request(const Request& request);   // or void on_request(const Request&, Reply)
//   void on_timer(uint64_t tag);                 // a timer that Peer::after has set is due
//   void on_end();                               // the client has ended its direction
//   void on_writable();                          // there is room again, after a kFull
//   void on_body(const BodyPart& part);          // the next part of a request that is read in
//   parts void on_drain();                             // say goodbye: the server drains void
//   on_close(CloseReason reason);           // the last call; then it is destroyed static constexpr
//   bool concurrent = true;
//
// Thread: the holder of the loop that was lent, or a data worker. Either form may block and may
// throw: an exception becomes the codec's error reply, a counter, and a line in the log.
#pragma once

#include <type_traits>

#include "trireme/answer.h"
#include "trireme/reply.h"
#include "trireme/request.h"

namespace trireme { inline namespace v0 {

// The two kinds of handlers of form (a).
template <class F>
concept AnswerHandler = std::is_invocable_r_v<Answer, const F&, const Request&>;
template <class F>
concept ReplyHandler = std::is_invocable_v<const F&, const Request&, Reply>;

}}  // namespace trireme
