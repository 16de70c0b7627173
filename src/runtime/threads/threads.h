// The seam to threads: start, join, park, unpark, sleep, relax, name.
//
// Step: below all steps. Thread: any. Two implementations: `RealThreads` (real_threads.cc) and the
// fibers of components/sim, in which every thread of the server is a fiber of one operating-system
// thread. For the sake of the second, two rules hold everywhere in src: no lock is held across a
// call of this seam or of `Kernel`, and every spin calls `relax()`.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "runtime/system/clock.h"

namespace trireme { inline namespace v0 {

// Where one thread sleeps until another one wakes it. Holds at most one permit, like a binary
// semaphore: an `unpark` that comes before the `park` is not lost, and two of them count as one.
// One thread parks on a spot at a time; any thread may unpark it.
struct ParkSpot {
  // 0: no permit, 1: permit, 2: a thread sleeps here. Touched only by `Threads` implementations.
  std::atomic<uint32_t> state{0};
  void* fiber = nullptr;  // the simulator's sleeper; unused by real threads
};

// A started thread. Must be joined before it is destroyed.
class Thread {
 public:
  virtual ~Thread() = default;
  virtual void
  join() = 0;  // Any thread but itself. Blocks until the thread's function has returned.
  // The same, but not beyond `until`. False: it has not ended by then, so it is not joined.
  virtual bool join_until(TimePoint until) = 0;
  // Any thread. It must end soon: takes back its run_only_when_idle() and stay_on(), as far as the
  // system allows.
  virtual void hurry() {}
  virtual void
  detach() = 0;  // Any thread. Only for Server::abandon() and late lookouts: it may outlive all.
};

class Threads {
 public:
  virtual ~Threads() = default;

  // Starts `body` on a new thread that blocks all signals. `name` has at most 15 bytes. Returns
  // null and sets `error` to an errno value when the system refuses.
  virtual std::unique_ptr<Thread> start(std::string_view name, std::function<void()> body,
                                        int& error) = 0;

  // Sleeps until a permit is there (and takes it: returns true) or `until` has come (returns
  // false).
  virtual bool park(ParkSpot& spot, TimePoint until) = 0;
  virtual void unpark(ParkSpot& spot) = 0;
  // Takes the permit if it is there, and never sleeps.
  virtual bool try_park(ParkSpot& spot) = 0;

  // True: one runs until it waits here (fibers), so one that blocks elsewhere stops all of them.
  virtual bool take_turns() const { return false; }

  virtual void sleep_until(
      TimePoint until) = 0;  // for handlers and tools; loop code never calls it
  // True: time passes for who waits here, and for nobody else. So no wait outside of here ends.
  virtual bool waiting_moves_the_clock() const { return false; }
  virtual void relax() = 0;  // one round of a spin: lets the other side run

  virtual void set_name(std::string_view name) = 0;  // of the calling thread
  // The calling thread: to be woken is no reason to take the CPU from a thread that works. A hint.
  virtual void wait_its_turn() {}
  // The calling thread: from now on it runs only while its CPU has nothing else to do. False: the
  // system refuses that, or has no such thing.
  virtual bool run_only_when_idle() { return false; }
  virtual void stay_on(int) {}             // the calling thread, on that CPU
  virtual int current_cpu() { return 0; }  // of the calling thread: a hint
  virtual uint64_t current_id() = 0;  // of the calling thread; the kernel's thread id when real
  // CPUs this process may run on, or as many as the quota of its control groups comes to; at least
  // 1. Reads files.
  virtual int allowed_cpus() = 0;

  // CPU time that a thread has used so far, by its current_id(); zero for one that has ended. Costs
  // a system call (0.7 us): the watchdog asks, nobody on the way of a request.
  virtual Duration cpu_time(uint64_t thread) = 0;
};

// One pointer per thread that the handler code of this library uses to know the job it is in. The
// simulator saves and restores it when it switches fibers; nothing else of the library is
// thread-local.
//
// Its place is found without a call in position-independent code, too: 8 bytes of those that the
// loader keeps for libraries that are opened later.
[[gnu::tls_model("initial-exec")]] inline thread_local void* thread_slot = nullptr;
// What it points to on a thread that holds a loop and is not in a handler.
inline char loop_code_mark = 0;

class HomeNumbers;
class Kernel;

// Everything the server needs from the outside world. Immutable; each part outlives the server and
// every `Peer` and `Reply` made by it.
//
// `immortal` says that the parts live until the process ends. Only then may a server leave a thread
// behind that is late to end; else its destructor waits for that thread.
struct Platform {
  Kernel& kernel;
  Clock& clock;
  Threads& threads;
  uint64_t random_seed = 0;
  bool immortal = false;
  HomeNumbers* home_numbers = nullptr;  // null: those of real_platform()
};

// The real one: objects that live until the process ends, stateless but for its home numbers.
const Platform& real_platform();

}}  // namespace trireme
