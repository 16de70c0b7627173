// Step 1, the Listener: binds, accepts, hands each socket to an I/O worker.
//
// Thread: `listener`, with an event loop of its own that it never gives away.
//
// It pauses - all its sockets leave the set, clients wait in the backlog - when accept(2) fails,
// when there are as many connections as allowed, and when memory is nearly used up. It goes on when
// a connection closes (the I/O worker that closes one sees `Core::accept_paused` and sends
// kMailResume), and after a back-off of 10 to 500 ms.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "connection/listening.h"
#include "reply/core.h"
#include "runtime/event_loop.h"
#include "trireme/result.h"

namespace trireme::inline v0 {

class Listener {
 public:
  Listener(Core& core, std::vector<std::unique_ptr<Listening>>& listenings);
  ~Listener();

  // Before start(). Binds everything; fills in the real URLs.
  Result<Done> open();
  // Starts the thread: 0 or an errno value.
  int start();
  // Any thread. Accepts what waits in the backlog, closes the sockets, ends the thread; returns
  // when that is done.
  void stop();

 private:
  struct Socket : Channel {
    uint32_t listening = 0;
  };

  Result<int> bind_socket(const std::string& url, int backlog, std::string& real_url);
  void run();
  void turn_in_loop() REQUIRES(loop_);
  void on_accepted_in_loop(int fd, const SocketAddress& peer, uint32_t listening) REQUIRES(loop_);
  bool over_limit() const;
  void pause_in_loop(bool failed) REQUIRES(loop_);
  void resume_in_loop() REQUIRES(loop_);
  void accept_backlog_in_loop() REQUIRES(loop_);
  uint32_t place_in_loop() REQUIRES(loop_);
  void log_failure(int error);

  Core& core_;
  EventLoop& loop_;
  std::vector<std::unique_ptr<Listening>>& listenings_;
  std::vector<Socket> sockets_ GUARDED_BY(loop_);
  std::vector<uint64_t> placed_ GUARDED_BY(loop_);  // by I/O worker
  bool paused_ GUARDED_BY(loop_) = false;
  bool stopping_ GUARDED_BY(loop_) = false;
  Duration back_off_ GUARDED_BY(loop_);
  int aborted_in_a_row_ GUARDED_BY(loop_) = 0;
  TimePoint resume_at_ GUARDED_BY(loop_) = kNever;
  std::unique_ptr<Thread> thread_;
  LogGate gate_;
};

}  // namespace trireme
