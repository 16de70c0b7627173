// Step 4, handling: how a handler or a session class becomes the service of a listener. Not for
// users: anything in `detail` may change with any version.
//
// Thread: the one that runs the handler. The templates only adapt types; all that runs is behind
// the virtual functions of `Service`.
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

#include "trireme/answer.h"
#include "trireme/body.h"
#include "trireme/close_reason.h"
#include "trireme/detail/session_call.h"
#include "trireme/handler.h"
#include "trireme/peer.h"
#include "trireme/reply.h"
#include "trireme/request.h"

namespace trireme { inline namespace v0 { namespace detail {

// Takes the one answer of a request, or hands out the right to give it later.
class Responder {
 public:
  // The handler's thread. One of the two, once.
  virtual void answer(Answer&& answer) = 0;
  virtual Reply take_reply() = 0;
  // The handler's thread, before it answers and before anybody may know of what it makes. Its
  // answer will switch the connection to another codec. What is sent to the connection from now on,
  // by whomever, is for that codec, and leaves behind the answer. If the answer does not switch, or
  // comes too late, nothing of it leaves, and the connection ends.
  virtual void hold_pushes() = 0;

 protected:
  ~Responder() = default;
};

// What a listener serves. Several threads call the functions at once for different connections.
// Calls for one connection come one at a time; with kPipelined and kUnordered, several calls of
// on_request() may run at once, and beside them one of on_timer(), or a function of Peer::call.
//
// A session travels as `void*`, because the server knows no user's class. Only the service that has
// made it in open() casts it back.
class Service {
 public:
  virtual ~Service() = default;
  // Any thread. Constants of the class: whether open() makes sessions; whether on_request() may run
  // several times at once for one connection.
  virtual bool has_session() const { return false; }
  virtual bool concurrent() const { return true; }
  virtual SessionTraits session() const { return {}; }
  // The handler's thread. on_close() also destroys the session.
  virtual void* open(const Peer&) { return nullptr; }
  virtual void on_request(void* session, const Request& request, Responder& responder) = 0;
  virtual void on_timer(void*, uint64_t) {}
  virtual void on_end(void*) {}
  virtual void on_writable(void*) {}
  virtual void on_body(void*, const BodyPart&) {}
  virtual void on_drain(void*) {}
  virtual void on_close(void*, CloseReason) {}
};

// Whether a handler is a null pointer to a function, or an empty std::function. (A lambda without
// captures could be compared with nullptr too, but is never empty.)
template <class F>
bool is_empty_handler(const F& handler) {
  if constexpr (!std::is_empty_v<F> && requires { static_cast<bool>(handler == nullptr); }) {
    return handler == nullptr;
  } else {
    return false;
  }
}

// Form (a) of handler.h.
template <class F>
class HandlerService final : public Service {
  static constexpr bool kIsHandler = AnswerHandler<F> || ReplyHandler<F>;
  static constexpr bool kIsMutable = std::is_invocable_r_v<Answer, F&, const Request&> ||
                                     std::is_invocable_v<F&, const Request&, Reply>;
  static_assert(kIsHandler || !kIsMutable,
                "a handler is called by several threads at once, so it must be callable as const: "
                "a mutable lambda is none");
  static_assert(kIsHandler || kIsMutable,
                "a handler must be Answer(const Request&) or void(const Request&, Reply)");
  static_assert(AnswerHandler<F> || !std::is_invocable_r_v<Answer, const F&, const Request&, Reply>,
                "a handler that takes a Reply must not return an answer, too: nobody would send "
                "it");

 public:
  explicit HandlerService(F handler) : handler_(std::move(handler)) {}

  void on_request(void*, const Request& request, Responder& responder) override {
    if constexpr (AnswerHandler<F>) {
      responder.answer(std::as_const(handler_)(request));
    } else if constexpr (ReplyHandler<F>) {
      std::as_const(handler_)(request, responder.take_reply());
    }
  }

 private:
  const F handler_;
};

// Whether a class has a member of a name, however it is declared: private, overloaded, inherited, a
// template. If so, the name is ambiguous in a class that inherits both that class and these names.
// In a final class, which nothing can inherit, only public members that are not overloaded are
// found.
struct CallbackNames {
  int on_request, on_timer, on_end, on_writable, on_body, on_drain, on_close, concurrent;
};
template <class S>
struct WithCallbackNames : S, CallbackNames {};
template <class S>
concept Inheritable = std::is_class_v<S> && !std::is_final_v<S>;
template <class S>
concept DeclaresOnRequest = requires {
  &S::on_request;
}
|| (Inheritable<S> && !requires { &WithCallbackNames<S>::on_request; });
template <class S>
concept DeclaresOnTimer = requires {
  &S::on_timer;
}
|| (Inheritable<S> && !requires { &WithCallbackNames<S>::on_timer; });
template <class S>
concept DeclaresOnEnd = requires {
  &S::on_end;
}
|| (Inheritable<S> && !requires { &WithCallbackNames<S>::on_end; });
template <class S>
concept DeclaresOnWritable = requires {
  &S::on_writable;
}
|| (Inheritable<S> && !requires { &WithCallbackNames<S>::on_writable; });
template <class S>
concept DeclaresOnBody = requires {
  &S::on_body;
}
|| (Inheritable<S> && !requires { &WithCallbackNames<S>::on_body; });
template <class S>
concept DeclaresOnDrain = requires {
  &S::on_drain;
}
|| (Inheritable<S> && !requires { &WithCallbackNames<S>::on_drain; });
template <class S>
concept DeclaresOnClose = requires {
  &S::on_close;
}
|| (Inheritable<S> && !requires { &WithCallbackNames<S>::on_close; });
template <class S>
concept DeclaresConcurrent = requires {
  &S::concurrent;
}
|| (Inheritable<S> && !requires { &WithCallbackNames<S>::concurrent; });

// Arguments that convert to a tag, and to a number that a tag would be cut to.
struct AnyTag {
  template <class T>
  requires std::is_same_v<T, uint64_t>
  operator T() const;
};
struct AnyCutTag {
  template <class T>
  requires(std::is_arithmetic_v<T> && !std::is_same_v<T, uint64_t>) operator T() const;
};
template <class S>
concept CutsTags = requires(S& self) {
  self.on_timer(AnyCutTag());
}
&&!requires(S & self) { self.on_timer(AnyTag()); };

// Form (b) of handler.h. A callback that nobody could call does not compile.
template <class S, class... Shared>
class SessionService final : public Service {
  static constexpr bool kReplies = requires(S & self, const Request& request, Reply reply) {
    self.on_request(request, std::move(reply));
  };
  static constexpr bool kReturnsToo = requires(S & self, const Request& request, Reply reply) {
    { self.on_request(request, std::move(reply)) } -> std::convertible_to<Answer>;
  };
  static constexpr bool kAnswers = requires(S & self, const Request& request) {
    { self.on_request(request) } -> std::convertible_to<Answer>;
  };
  static constexpr bool kTimes = !CutsTags<S> && requires(S & self, uint64_t tag) {
    self.on_timer(tag);
  };
  static constexpr bool kEnds = requires(S & self) { self.on_end(); };
  static constexpr bool kFindsRoom = requires(S & self) { self.on_writable(); };
  static constexpr bool kTakesBodies = requires(S & self, const BodyPart& part) {
    self.on_body(part);
  };
  static constexpr bool kDrains = requires(S & self) { self.on_drain(); };
  static constexpr bool kCloses = requires(S & self, CloseReason reason) { self.on_close(reason); };
  static constexpr bool kSaysConcurrent = requires {
    std::bool_constant<static_cast<bool>(S::concurrent)>();
  };
  static_assert(kReplies || kAnswers || !DeclaresOnRequest<S>,
                "the on_request of a session must be public, and be Answer on_request(const "
                "Request&) or void on_request(const Request&, Reply)");
  static_assert(!kReturnsToo,
                "an on_request that takes a Reply must not return an answer, too: nobody would "
                "send it");
  static_assert(kTimes || !DeclaresOnTimer<S>,
                "the on_timer of a session must be public, and be void on_timer(uint64_t tag)");
  static_assert(kEnds || !DeclaresOnEnd<S>,
                "the on_end of a session must be public, and be void on_end()");
  static_assert(kFindsRoom || !DeclaresOnWritable<S>,
                "the on_writable of a session must be public, and be void on_writable()");
  static_assert(kTakesBodies || !DeclaresOnBody<S>,
                "the on_body of a session must be public, and be void on_body(const BodyPart&)");
  static_assert(kDrains || !DeclaresOnDrain<S>,
                "the on_drain of a session must be public, and be void on_drain()");
  static_assert(kCloses || !DeclaresOnClose<S>,
                "the on_close of a session must be public, and be void on_close(CloseReason)");
  static_assert(kSaysConcurrent || !DeclaresConcurrent<S>,
                "the member `concurrent` of a session must be public and `static constexpr bool`");
  static_assert(std::is_constructible_v<S, Peer, Shared&...> ||
                    std::is_constructible_v<S, Shared&...>,
                "a session is constructed from (Peer, Shared&...) or (Shared&...)");

 public:
  explicit SessionService(Shared&... shared) : shared_(shared...) {}

  bool has_session() const override { return true; }
  bool concurrent() const override {
    if constexpr (kSaysConcurrent) {
      return S::concurrent;
    } else {
      return false;
    }
  }
  SessionTraits session() const override {
    return {.type = &session_type_of<S>,
            .has_on_timer = kTimes,
            .has_on_end = kEnds,
            .has_on_writable = kFindsRoom,
            .has_on_body = kTakesBodies};
  }
  void* open(const Peer& peer) override {
    return std::apply(
        [&](auto&... shared) -> void* {
          if constexpr (std::is_constructible_v<S, Peer, Shared&...>) {
            return new S(peer, shared...);
          } else {
            return new S(shared...);
          }
        },
        shared_);
  }
  void on_request(void* session, const Request& request, Responder& responder) override {
    S& self = *static_cast<S*>(session);
    if constexpr (kReplies) {
      self.on_request(request, responder.take_reply());
    } else if constexpr (kAnswers) {
      responder.answer(self.on_request(request));
    } else {
      responder.answer(no_answer());
    }
  }
  void on_timer(void* session, uint64_t tag) override {
    if constexpr (kTimes) static_cast<S*>(session)->on_timer(tag);
  }
  void on_end(void* session) override {
    if constexpr (kEnds) static_cast<S*>(session)->on_end();
  }
  void on_writable(void* session) override {
    if constexpr (kFindsRoom) static_cast<S*>(session)->on_writable();
  }
  void on_body(void* session, const BodyPart& part) override {
    if constexpr (kTakesBodies) static_cast<S*>(session)->on_body(part);
  }
  void on_drain(void* session) override {
    if constexpr (kDrains) static_cast<S*>(session)->on_drain();
  }
  void on_close(void* session, CloseReason reason) override {
    std::unique_ptr<S> self(static_cast<S*>(session));
    if constexpr (kCloses) self->on_close(reason);
  }

 private:
  std::tuple<Shared&...> shared_;
};

}}}  // namespace trireme::detail
