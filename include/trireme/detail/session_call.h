// Step 4, handling: what runs in the turn of a session on behalf of others, and of which class the
// session is. Not for users: anything in `detail` may change with any version.
//
// Thread: made by any; runs where handlers run.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

namespace trireme { inline namespace v0 { namespace detail {

// A class of sessions, known by its address: no run-time type information is needed. Not const, so
// that no linker makes one of two.
struct SessionType {
  char unused = 0;
};
template <class S>
inline SessionType session_type_of{};

// What a class of sessions has: constants of the class.
struct SessionTraits {
  const SessionType* type = nullptr;  // null: there are no sessions
  bool has_on_timer = false;
  bool has_on_end = false;
  bool has_on_writable = false;
  bool has_on_body = false;
};

// A function that waits for the turn of a session.
class SessionCall {
 public:
  virtual ~SessionCall() = default;
  // The handler's thread, once. `session` is of the class that the caller has named.
  virtual void run(void* session) = 0;
};

template <class S, class F>
class SessionCallOf final : public SessionCall {
 public:
  explicit SessionCallOf(F&& function) : function_(std::move(function)) {}
  void run(void* session) override { std::invoke(function_, *static_cast<S*>(session)); }

 private:
  F function_;
};

// The same for who does not name a class.
template <class F>
class AnyCallOf final : public SessionCall {
 public:
  explicit AnyCallOf(F&& function) : function_(std::move(function)) {}
  void run(void*) override { std::invoke(function_); }

 private:
  F function_;
};

}}}  // namespace trireme::detail
