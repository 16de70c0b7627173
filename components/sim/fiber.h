// One flow of control with its own stack: what stands for a thread in the simulator.
//
// Step: none, test support. Thread: all fibers of a world run on the one operating-system thread
// that called Machine::run, and only the scheduler switches between them.
//
// A switch carries along what belongs to a thread and not to a stack: the exceptions being caught
// (`__cxa_get_globals`: one fiber may sit in a catch block while another throws), the library's
// `thread_slot`, and the stack that AddressSanitizer or ThreadSanitizer believes it is on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/system/clock.h"

namespace trireme { inline namespace v0 { namespace sim {

// A mapped stack with a guard page below it: overflow is a fault, not damage.
class Stack {
 public:
  explicit Stack(size_t bytes);
  ~Stack();
  Stack(Stack&& other) noexcept;
  Stack& operator=(Stack&&) = delete;

  char* low() const { return low_; }
  size_t size() const { return size_; }

 private:
  char* low_;  // the lowest usable byte; the guard page is below
  size_t size_;
};

// Where a flow of control stands while it does not run.
struct Context {
  void* machine = nullptr;    // what Boost.Context needs to jump there
  Context* target = nullptr;  // of the jump under way from here
  void* owner = nullptr;      // the Fiber; null for the stack that run() was called on
  const void* stack_low = nullptr;
  size_t stack_size = 0;
  void* fake_stack = nullptr;  // AddressSanitizer's
  void* tsan_fiber = nullptr;  // ThreadSanitizer's
  void* caught_exceptions = nullptr;
  unsigned int uncaught_exceptions = 0;
  void* thread_slot = nullptr;
};

class Fiber {
 public:
  enum class State : uint8_t { kRunnable, kRunning, kBlocked, kPreempted, kEnded };

  Fiber(uint32_t number, std::string_view first_name, std::function<void()> body, Stack stack);
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // Scheduler's stack. Runs the fiber until it calls suspend() or ends.
  void resume(Context& scheduler);
  // The fiber itself. Returns when it is resumed.
  void suspend();
  // Scheduler's stack, after the end. Gives the stack back for the next fiber.
  Stack take_stack();

  const uint32_t id;
  std::string name;
  State state = State::kRunnable;
  bool detached = false;
  Fiber* joiner = nullptr;

  // While kBlocked: for the listing of a deadlock, and the timer that ends the wait.
  const char* waits_in = "";
  int64_t waits_for = 0;
  TimePoint waits_until = kNever;
  uint64_t timer_number = 0;  // 0: none
  bool woken = false;         // the last wait ended by wake(), not by its timer

  // Books of its time, kept by the scheduler.
  TimePoint begun{};
  TimePoint blocked_since{};
  Duration blocked_time{0};  // of the waits that have ended

 private:
  static void run_body(Fiber& fiber) noexcept;
  friend void enter_fiber(Context& self);

  std::function<void()> body_;
  std::vector<Stack> stack_;  // one, or none after take_stack()
  Context context_;
  Context* scheduler_ = nullptr;
};

}}}  // namespace trireme::sim
