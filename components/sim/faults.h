// What a seed's world does to the server: how the scheduler interleaves, how the network delivers,
// which calls fail. Every seed draws its own numbers (swarm testing), so that some worlds have
// much of one fault and none of another; three seeds in ten have no fault at all.
//
// Step: none, test support. Thread: any fiber; changed only between calls.
#pragma once

#include <cstdint>

#include "runtime/system/clock.h"
#include "runtime/system/random.h"

namespace trireme { inline namespace v0 { namespace sim {

// Chances are in 10,000. All zero, as default-constructed: the loopback of an idle machine.
struct Faults {
  // Errors. `interrupted`: -EINTR from accept, receive, send, epoll_wait and the eventfd calls,
  // without an effect; never from close. The others are errors that Linux gives out of the blue.
  uint32_t interrupted = 0;
  uint32_t accept_aborted = 0;     // ECONNABORTED, the connection behind it still waits
  uint32_t accept_exhausted = 0;   // ENFILE, ENOBUFS or ENOMEM
  uint32_t send_no_buffers = 0;    // ENOBUFS, nothing was sent
  uint32_t epoll_add_refused = 0;  // ENOSPC; never drawn, because it costs the connection
  // The send buffer has less room than it should for a while: short writes, then -EAGAIN, then an
  // EPOLLOUT edge, as when the kernel is short of memory.
  uint32_t send_squeezed = 0;

  // The network. A sent piece is cut into segments of at most `segment_bytes_max` (0: not cut),
  // which arrive one by one: this is what makes short reads, and each of them is a new edge.
  Duration delay_min{0};
  Duration delay_max{0};
  uint32_t segment_bytes_max = 0;
  bool reset_destroys = false;  // a RST overtakes bytes on their way, as after loss

  // Threads. At a scheduling point the fiber may be descheduled for up to `preempted_max`, which
  // is what makes a job late although it never blocked.
  uint32_t preempted = 0;
  Duration preempted_max{0};

  static Faults draw(Random& random);

  // The same world without errors, squeezes and preemption: for the liveness phase of a test.
  Faults calmed() const;
};

// What a seed draws that is not a fault: always in force.
struct Nature {
  uint32_t switched = 0;        // chance in 10,000 of a fiber switch at a scheduling point
  Duration step_cost_max{0};    // each scheduling point costs 100 ns up to this
  uint32_t receive_buffer = 0;  // bytes; the sum of both is what a direction holds
  uint32_t send_buffer = 0;
  Duration start_time{0};  // of the monotonic clock; sometimes close to 2^31 or 2^32 ms

  static Nature draw(Random& random);
};

}}}  // namespace trireme::sim
