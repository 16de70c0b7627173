// Step 4, handling: how a user's handler or session class becomes the `Service` of a listener.
//
// Only templates that adapt types; everything that runs is behind the virtual functions of
// `Service`.
#pragma once

#include <concepts>
#include <functional>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

#include "trireme/answer.h"
#include "trireme/close_reason.h"
#include "trireme/peer.h"
#include "trireme/reply.h"
#include "trireme/request.h"

namespace trireme::inline v0 {

// Gives the one answer of a request, or hands out the right to give it later.
class Responder {
 public:
  virtual void answer(Answer&& answer) = 0;
  virtual Reply take_reply() = 0;

 protected:
  ~Responder() = default;
};

// What a listener serves. Immutable after start; its functions are called by several threads at
// once for different connections, and for one connection one at a time (with Ordering::kPipelined
// `on_request` excepted).
class Service {
 public:
  virtual ~Service() = default;
  virtual bool has_session() const { return false; }
  virtual bool concurrent() const {
    return true;
  }  // on_request may run several times at once for one connection
  virtual void* open(const Peer&) { return nullptr; }
  virtual void on_request(void* session, const Request& request, Responder& responder) = 0;
  virtual void on_drain(void*) {}
  virtual void on_close(void*, CloseReason) {}  // also destroys the session
};

// Form (a): called by several threads at once, so it must be callable as const; a mutable lambda
// does not compile.
template <class F>
concept AnswerHandler = std::is_invocable_r_v<Answer, const F&, const Request&>;
template <class F>
concept ReplyHandler = std::is_invocable_v<const F&, const Request&, Reply>;

template <class F>
class HandlerService final : public Service {
 public:
  explicit HandlerService(F handler) : handler_(std::move(handler)) {}

  void on_request(void*, const Request& request, Responder& responder) override {
    if constexpr (AnswerHandler<F>) {
      responder.answer(std::as_const(handler_)(request));
    } else {
      std::as_const(handler_)(request, responder.take_reply());
    }
  }

 private:
  const F handler_;
};

// Form (b): a session class. Any subset of on_request(const Request&, Reply) or Answer
// on_request(const Request&), on_drain(), on_close(CloseReason), and a constructor from (Peer,
// Shared&...) or (Shared&...).
template <class S, class... Shared>
class SessionService final : public Service {
 public:
  explicit SessionService(Shared&... shared) : shared_(shared...) {}

  bool has_session() const override { return true; }
  bool concurrent() const override {
    if constexpr (requires { S::concurrent; }) {
      return S::concurrent;
    } else {
      return false;
    }
  }
  void* open(const Peer& peer) override {
    return std::apply(
        [&](auto&... shared) -> void* {
          if constexpr (std::is_constructible_v<S, Peer, Shared&...>) {
            return new S(peer, shared...);
          } else {
            static_assert(std::is_constructible_v<S, Shared&...>,
                          "a session is constructed from (Peer, Shared&...) or (Shared&...)");
            return new S(shared...);
          }
        },
        shared_);
  }
  void on_request(void* session, const Request& request, Responder& responder) override {
    S& self = *static_cast<S*>(session);
    if constexpr (requires(Reply reply) { self.on_request(request, std::move(reply)); }) {
      self.on_request(request, responder.take_reply());
    } else if constexpr (requires {
                           { self.on_request(request) } -> std::convertible_to<Answer>;
                         }) {
      responder.answer(self.on_request(request));
    } else {
      responder.answer(no_answer());
    }
  }
  void on_drain(void* session) override {
    if constexpr (requires(S & self) { self.on_drain(); }) static_cast<S*>(session)->on_drain();
  }
  void on_close(void* session, CloseReason reason) override {
    std::unique_ptr<S> self(static_cast<S*>(session));
    if constexpr (requires { self->on_close(reason); }) self->on_close(reason);
  }

 private:
  std::tuple<Shared&...> shared_;
};

}  // namespace trireme
