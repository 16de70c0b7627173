// Log lines on their way to a sink that may block for as long as it likes.
//
// Step: below all steps. Threads: any puts lines in; one of its own, `log`, calls the sink.
//
// 1. The sink gets one line at a time, in the order in which they were put in.
// 2. What waits is bounded. Lines that find no room are dropped and counted; the line behind that
//    gap says how many.
// 3. The thread starts with the first line. Where the system has none to give, lines wait for the
//    next try, or for flush(), which then calls the sink itself.
// 4. Nobody waits for a sink without a bound: one that hangs at the end is left with its thread,
//    which keeps alive what they share, and the sink is never called again.
// 5. What the sink throws costs that line.
//
// Where threads take turns (the simulator) there is no such thread: who puts a line in calls the
// sink.
#pragma once

#include <memory>

#include "runtime/threads/threads.h"
#include "trireme/options.h"

namespace trireme { inline namespace v0 {

class LogThread {
 public:
  // `sink` empty: standard error. `platform` outlives this.
  LogThread(const Platform& platform, LogSink sink);
  ~LogThread();  // end()
  LogThread(const LogThread&) = delete;
  LogThread& operator=(const LogThread&) = delete;

  // A sink that puts lines in. Any thread may call it, and it never blocks. It may outlive this:
  // then lines go nowhere.
  LogSink queue() const;

  // Any thread but `log`. Returns when all lines so far are with the sink, or when it has taken
  // none for 200 ms, which is not waited for again while the same call hangs; after a second in any
  // case.
  void flush() const;

  // Any thread but `log`. flush(), then ends or leaves the thread: the sink is not called again,
  // and lines go nowhere.
  void end() const;

  static constexpr size_t kLinesMax = 1'024;
  static constexpr size_t kBytesMax = 256 << 10;
  static constexpr size_t kLineBytesMax = 4 << 10;  // what is longer is cut

 private:
  class State;
  // Owners: this, what queue() has made, and the thread.
  const std::shared_ptr<State> state_;
};

}}  // namespace trireme
