#include "sim/fiber.h"

#include <cxxabi.h>
#include <sys/mman.h>
#include <unistd.h>

#include <boost/context/detail/fcontext.hpp>
#include <cstring>
#include <exception>
#include <utility>

#include "runtime/threads/threads.h"
#include "sim/fail.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TRIREME_SIM_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define TRIREME_SIM_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define TRIREME_SIM_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__)
#define TRIREME_SIM_TSAN 1
#endif

#if defined(TRIREME_SIM_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(TRIREME_SIM_TSAN)
#include <sanitizer/tsan_interface.h>
#endif

namespace trireme { inline namespace v0 { namespace sim {

namespace fcontext = boost::context::detail;

namespace {

// The layout that the C++ ABI fixes for the opaque type of <cxxabi.h>.
struct ExceptionGlobals {
  void* caught_exceptions;
  unsigned int uncaught_exceptions;
};

size_t page_bytes() { return static_cast<size_t>(::sysconf(_SC_PAGESIZE)); }

void save_thread_state(Context& from) {
  ExceptionGlobals globals;
  std::memcpy(&globals, abi::__cxa_get_globals(), sizeof(globals));
  from.caught_exceptions = globals.caught_exceptions;
  from.uncaught_exceptions = globals.uncaught_exceptions;
  from.thread_slot = thread_slot;
}

void load_thread_state(const Context& to) {
  ExceptionGlobals globals;
  std::memset(&globals, 0, sizeof(globals));
  globals.caught_exceptions = to.caught_exceptions;
  globals.uncaught_exceptions = to.uncaught_exceptions;
  std::memcpy(static_cast<void*>(abi::__cxa_get_globals()), &globals, sizeof(globals));
  thread_slot = to.thread_slot;
}

// First thing on the stack that was jumped to. `transfer.data` is the context that jumped.
Context& arrive(fcontext::transfer_t transfer) {
  auto& from = *static_cast<Context*>(transfer.data);
  from.machine = transfer.fctx;
#if defined(TRIREME_SIM_ASAN)
  __sanitizer_finish_switch_fiber(from.target->fake_stack, &from.stack_low, &from.stack_size);
#endif
  return *from.target;
}

void jump(Context& from, Context& to, [[maybe_unused]] bool for_ever) {
  save_thread_state(from);
  load_thread_state(to);
  from.target = &to;
#if defined(TRIREME_SIM_ASAN)
  __sanitizer_start_switch_fiber(for_ever ? nullptr : &from.fake_stack, to.stack_low,
                                 to.stack_size);
#endif
#if defined(TRIREME_SIM_TSAN)
  if (from.tsan_fiber == nullptr) from.tsan_fiber = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(to.tsan_fiber, 0);
#endif
  arrive(fcontext::jump_fcontext(to.machine, &from));
}

}  // namespace

void enter_fiber(Context& self) {
  auto& fiber = *static_cast<Fiber*>(self.owner);
  Fiber::run_body(fiber);
  fiber.state = Fiber::State::kEnded;
  jump(self, *fiber.scheduler_, true);
}

namespace {

void entry(fcontext::transfer_t transfer) {
  enter_fiber(arrive(transfer));
  fail("a fiber ran on after its end.");
}

}  // namespace

Stack::Stack(size_t bytes) : low_(nullptr), size_(bytes) {
  const size_t page = page_bytes();
  size_ = (bytes + page - 1) / page * page;
  void* map = ::mmap(nullptr, size_ + page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (map == MAP_FAILED) fail("no memory for the stack of a fiber.");
  low_ = static_cast<char*>(map) + page;
  if (::mprotect(low_, size_, PROT_READ | PROT_WRITE) != 0) {
    fail("no memory for the stack of a fiber: mprotect failed.");
  }
}

Stack::Stack(Stack&& other) noexcept
    : low_(std::exchange(other.low_, nullptr)), size_(other.size_) {}

Stack::~Stack() {
  if (low_ == nullptr) return;
  const size_t page = page_bytes();
  ::munmap(low_ - page, size_ + page);
}

Fiber::Fiber(uint32_t number, std::string_view first_name, std::function<void()> body, Stack stack)
    : id(number), name(first_name), body_(std::move(body)) {
  context_.owner = this;
  context_.stack_low = stack.low();
  context_.stack_size = stack.size();
  context_.machine = fcontext::make_fcontext(stack.low() + stack.size(), stack.size(), entry);
#if defined(TRIREME_SIM_TSAN)
  context_.tsan_fiber = __tsan_create_fiber(0);
#endif
  stack_.push_back(std::move(stack));
}

Fiber::~Fiber() {
  if (!stack_.empty()) take_stack();
}

void Fiber::run_body(Fiber& fiber) noexcept {
  try {
    fiber.body_();
    fiber.body_ = nullptr;  // what it captured is destroyed on its own stack
  } catch (const std::exception& error) {
    fail("an exception left fiber '" + fiber.name + "': " + error.what());
  } catch (...) {
    fail("an exception left fiber '" + fiber.name + "'.");
  }
}

void Fiber::resume(Context& scheduler) {
  scheduler_ = &scheduler;
  jump(scheduler, context_, false);
}

void Fiber::suspend() { jump(context_, *scheduler_, false); }

Stack Fiber::take_stack() {
#if defined(TRIREME_SIM_ASAN)
  __asan_unpoison_memory_region(stack_.back().low(), stack_.back().size());
#endif
#if defined(TRIREME_SIM_TSAN)
  __tsan_destroy_fiber(context_.tsan_fiber);
#endif
  Stack stack = std::move(stack_.back());
  stack_.clear();
  return stack;
}

}}}  // namespace trireme::sim
