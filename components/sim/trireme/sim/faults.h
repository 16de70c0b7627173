// What goes wrong in a simulated world, and how often. Everything here happens on real systems.
//
//   sim::Faults faults;              // none: the loopback of an idle machine
//   faults.client_reset = 50;        // 0.5 % of what clients do ends in a reset
//   faults.segment_bytes_max = 3;    // requests arrive three bytes at a time
//
// docs/simulator.md shows what each of them finds.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

namespace trireme { inline namespace v0 { namespace sim {

// One kind of fault. Each time one happens it is counted, and has its number in a plan.
enum class FaultKind : uint8_t {
  kInterrupted,    // EINTR from accept, recv, sendmsg, a wait for events, read and write of eventfd
  kLostWakeup,     // EINTR from the write to an eventfd: nobody is woken unless it is repeated
  kAcceptAborted,  // ECONNABORTED from accept; the connection behind it still waits
  kAcceptExhausted,  // ENFILE, ENOBUFS or ENOMEM from accept
  kNoDescriptor,     // EMFILE from accept
  kNotReady,       // EAGAIN from recv although bytes are there; a moment later they are ready again
  kSendNoBuffers,  // ENOBUFS from sendmsg; nothing was sent
  kShortWrite,     // sendmsg takes a part, then answers EAGAIN for up to 200 us
  kWatchRefused,   // ENOSPC from EPOLL_CTL_ADD, which costs a connection
  kPreempted,      // a thread does not run for a while, although it could
  kDelay,          // bytes, or the end of a stream, arrive later than they could
  kShortRead,      // what was sent together arrives in pieces
  kLostBytes,      // a reset destroys bytes that are on their way
  kClientReset,    // the connection of a client is reset
  kClientStall,    // a client does nothing for a while
};
inline constexpr int kFaultKindCount = 15;

// Any thread. "client_reset" for kClientReset, as a plan writes it.
std::string_view to_string(FaultKind kind);

// The chances of faults: in 10,000, for each call that can fail so. A world in which all are zero
// still interleaves threads in an order drawn from its seed.
struct Faults {
  uint32_t interrupted = 0;
  uint32_t wakeup_lost = 0;
  uint32_t accept_aborted = 0;
  uint32_t accept_exhausted = 0;
  uint32_t accept_no_descriptor = 0;
  uint32_t receive_not_ready = 0;
  uint32_t send_no_buffers = 0;
  uint32_t epoll_add_refused = 0;  // never drawn, because it costs the connection
  uint32_t send_squeezed = 0;
  // Never drawn. A part of a file is not in memory, so reading it would wait for the disk.
  uint32_t file_cold = 0;

  // What is sent arrives after a time between the two. What a delay has beyond the least is a
  // fault.
  std::chrono::nanoseconds delay_min{0};
  std::chrono::nanoseconds delay_max{0};
  // A sent piece is cut into segments of at most so many bytes, which arrive one by one. 0: uncut.
  uint32_t segment_bytes_max = 0;
  bool reset_destroys = false;

  uint32_t preempted = 0;
  std::chrono::nanoseconds preempted_max{0};

  // For each thing that a Client does.
  uint32_t client_reset = 0;
  uint32_t client_stalled = 0;
  std::chrono::nanoseconds client_stalled_max = std::chrono::milliseconds(5);

  // Any thread. What a world with this seed draws when it is given no faults: many of some kinds
  // and none of others, so that each can be frequent, rare or alone; three seeds in ten have none.
  static Faults drawn(uint64_t seed);

  // Any thread. The same world without errors, preemption, resets and stalls: for the end of a run,
  // when all that is left must finish.
  Faults calmed() const;
};

}}}  // namespace trireme::sim
