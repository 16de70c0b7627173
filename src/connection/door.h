// The border between step 1 and the loops that its clients go to: where a new socket is taken in,
// and what an I/O worker asks of the listening sockets that live in its own loop.
//
// Thread: the holder of the loop that accepts.
#pragma once

#include <cstdint>

#include "runtime/drivers/driver.h"

namespace trireme { inline namespace v0 {

// Takes in a client that was admitted: an I/O worker, for its own loop; the Listener, for any.
class Adopter {
 public:
  // Owns the descriptor from now on.
  virtual void adopt_in_loop(int fd, uint32_t listening, const SocketAddress& peer) = 0;

 protected:
  ~Adopter() = default;
};

// The listening sockets of one loop.
class Door {
 public:
  virtual ~Door() = default;

  // A completion of one of its channels.
  virtual void handle_in_loop(const Completion& completion) = 0;
  // Something has become free that it may be waiting for (kMailResume).
  virtual void room_in_loop() = 0;
  // Once a turn, before the wait. Goes on if it has paused for long enough; when to call it next.
  virtual TimePoint resume_in_loop() = 0;
  // The end: closes the sockets. Clients that wait in their backlogs are taken first, if asked for:
  // closing would reset them. Their channels end in completions, as all do.
  virtual void stop_in_loop(bool take_waiting) = 0;
  // The same of one listener; the others go on. Takes who waits as far as there is room.
  virtual void close_in_loop(uint32_t listening) = 0;
  virtual bool stopped_in_loop() const = 0;  // and the last channel was given back
};

}}  // namespace trireme
