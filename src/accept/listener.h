// Step 1, the Listener: accepts, and hands each socket to an I/O worker.
//
// Thread: `listener`, with an event loop of its own that it never gives away. Who is accepted, and
// when it pauses, is said in accept/loop_door.h.
#pragma once

#include <memory>
#include <vector>

#include "accept/loop_door.h"
#include "connection/door.h"
#include "roster/server_context.h"
#include "runtime/event_loop.h"

namespace trireme { inline namespace v0 {

class Listener final : private Adopter {
 public:
  explicit Listener(ServerContext& context);
  ~Listener();

  // Before start(). Where its sockets are attached. Without any it starts no thread.
  LoopDoor& door() { return door_; }
  // Starts the thread: 0 or an errno value.
  int start();
  // Any thread. Accepts what waits in the backlog, closes the sockets, ends the thread; returns
  // when that is done.
  void stop();

 private:
  void run();
  void turn_in_loop() REQUIRES(loop_);
  void end_in_loop() REQUIRES(loop_);
  void adopt_in_loop(int fd, uint32_t listening, const SocketAddress& peer) override;
  uint32_t place_in_loop() REQUIRES(loop_);

  ServerContext& context_;
  EventLoop& loop_;
  Books& books_;
  LoopDoor door_;
  std::vector<uint64_t> placed_ GUARDED_BY(loop_);  // by I/O worker
  bool stopping_ GUARDED_BY(loop_) = false;
  std::unique_ptr<Thread> thread_;
};

}}  // namespace trireme
