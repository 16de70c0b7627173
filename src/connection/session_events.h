// What a session is to be called for besides its requests: its timers, functions that others want
// to run in its turn, room in its write queue. Data and rules; Strand makes jobs of them.
//
// Step 4. Thread: the holder of the loop. Bounded: Limits::timers_max timers, Limits::calls_max
// calls, each charged to the budget. Made when a connection needs it first; gone when nothing is
// left in it.
#pragma once

#include <memory>
#include <utility>

#include "connection/session_timers.h"
#include "handling/body_relay.h"
#include "reply/mail.h"
#include "runtime/timer_wheel.h"

namespace trireme { inline namespace v0 {

struct Connection;

struct SessionEvents : Timer {  // armed for the first of `timers`
  explicit SessionEvents(Connection& whose)
      : Timer(Timer::Owner::kSessionEvents), connection(whose) {}
  ~SessionEvents() { take_calls(); }
  SessionEvents(const SessionEvents&) = delete;
  SessionEvents& operator=(const SessionEvents&) = delete;

  void add(std::unique_ptr<CallMail> call) {
    Mail* const waits = call.release();
    waits->next = nullptr;
    (first_call_ == nullptr ? first_call_ : last_call_->next) = waits;
    last_call_ = waits;
    ++calls_count_;
  }
  bool has_calls() const { return first_call_ != nullptr; }
  size_t calls_count() const { return calls_count_; }
  // With has_calls(). The oldest.
  std::unique_ptr<CallMail> take_call() {
    std::unique_ptr<CallMail> call(static_cast<CallMail*>(first_call_));
    first_call_ = std::exchange(call->next, nullptr);
    --calls_count_;
    return call;
  }
  // All of them, oldest first, linked.
  CallList take_calls() {
    calls_count_ = 0;
    return CallList(std::exchange(first_call_, nullptr));
  }

  bool is_due(TimePoint now) const { return has_calls() || timers.next() <= now || has_part(); }
  bool has_part() const { return body != nullptr && body->is_due(); }
  bool is_empty() const {
    return !has_calls() && timers.count() == 0 && !is_out && !wants_room && body == nullptr;
  }

  Connection& connection;
  SessionTimers timers;
  std::shared_ptr<BodyRelay> body{};  // its parts go to on_body; owners: as LeftWithRequest
  bool wants_room = false;  // somebody got kFull, and on_writable has not been called since
  // The byte budget was used up, and no event tells when it is not: there is no room before that.
  TimePoint look_again_at = kNever;
  bool is_out = false;         // a job of these runs beside requests: the session is concurrent
  bool had_turn = false;       // one of these was the last to run: a request goes first
  bool room_had_turn = false;  // the last of them was on_writable: timers and calls go first

 private:
  Mail* first_call_ = nullptr;  // owned, by Mail::next
  Mail* last_call_ = nullptr;
  size_t calls_count_ = 0;
};

}}  // namespace trireme
