// How far a server is in its life, who waits for the next state, and how it ended.
//
// Step: none, above all. Thread: any. One mutex guards all of it.
//
//                 start()             start()              drain()            drain()
//   kNew ------------------> kStarting -----> kRunning ------------> kEnding ---------> kEnded
//    |                          '--- start() has failed ---------------------------------^
//    '------------------------------ drain() --------------------------------------------'
#pragma once

#include <vector>

#include "runtime/system/real_signals.h"
#include "runtime/threads/mutex.h"
#include "runtime/threads/threads.h"
#include "trireme/server.h"

namespace trireme { inline namespace v0 {

class ServerLife {
 public:
  explicit ServerLife(Threads& threads) : threads_(threads) {}

  bool is_new();
  bool has_ended();
  bool is_ending();  // or has ended
  // drain() came before start().
  bool was_drained_first();

  // start() was called, for the first time. False: the server was drained before.
  [[nodiscard]] bool begin_start();
  void note_running() { enter(State::kRunning, {}); }
  // The start has failed.
  void note_failed() { enter(State::kEnded, {}); }

  // Waits until start() or another drain is over. True: this one is the caller's, who calls end().
  [[nodiscard]] bool begin_drain();
  // All threads are joined. Never said when handlers were stuck, even if they have returned since.
  void note_joined();
  void end(std::vector<StuckJob> stuck) { enter(State::kEnded, std::move(stuck)); }
  // Of the drain that has ended the server.
  std::vector<StuckJob> stuck();
  // Its threads may run on for ever. False: they are joined, or that was said before.
  [[nodiscard]] bool abandon();

  // What is left to do for the destructor.
  enum class Rest { kNothing, kJoin, kLeak };
  Rest rest();

  // run() waits for these signals, for a drain and for its end; null: not any more.
  void tell_end_to(RealSignals* signals);

 private:
  enum class State { kNew, kStarting, kRunning, kEnding, kEnded };

  void enter(State next, std::vector<StuckJob> stuck);

  Threads& threads_;
  Mutex mutex_;
  State state_ GUARDED_BY(mutex_) = State::kNew;
  bool was_started_ GUARDED_BY(mutex_) = false;
  bool drained_first_ GUARDED_BY(mutex_) = false;
  bool abandoned_ GUARDED_BY(mutex_) = false;
  bool joined_ GUARDED_BY(mutex_) = false;
  std::vector<ParkSpot*> waiting_ GUARDED_BY(mutex_);
  std::vector<StuckJob> stuck_ GUARDED_BY(mutex_);
  RealSignals* run_signals_ GUARDED_BY(mutex_) = nullptr;
};

}}  // namespace trireme
