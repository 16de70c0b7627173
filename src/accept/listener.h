// Step 1, the Listener: accepts, and hands each socket to an I/O worker.
//
// Thread: `listener`, with an event loop of its own that it never gives away. Who is accepted, and
// when it pauses, is said in accept/loop_door.h.
#pragma once

#include <memory>
#include <vector>

#include "accept/bound_endpoints.h"
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
  // Before start(). What it is told of here it removes at the end.
  BoundEndpoints& endpoints() { return endpoints_; }
  // Any thread. The files of one listener go, before its sockets do.
  void remove_files(uint32_t listener) {
    endpoints_.remove_files(context_.platform.kernel, context_.log, listener);
  }
  // Starts the thread: 0 or an errno value.
  int start();
  // Any thread. Removes the files of unix sockets, accepts what waits in the backlog, closes the
  // sockets, ends the thread; returns when that is done.
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
  BoundEndpoints endpoints_;
  LoopDoor door_;
  std::vector<uint64_t> placed_ GUARDED_BY(loop_);  // by I/O worker
  bool stopping_ GUARDED_BY(loop_) = false;
  std::unique_ptr<Thread> thread_;
};

}}  // namespace trireme
