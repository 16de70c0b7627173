// The seam to what an event loop waits on: what tells readiness (readiness_driver.h), or what
// reports completions.
//
// Step: below steps 1, 2 and 6. Thread: the holder of the loop, `wake` excepted. Shaped after
// completions, so that a driver may do the receiving itself: epoll receives inside `next`, one
// channel at a time, into one shared buffer.
//
// Rules (conformance tests in tests/unit/runtime/driver_test.cc):
// 1. A completion names a channel that is attached; an event of a closed channel or a reused
//    descriptor never gets out, but clients that were accepted for it. `close` ends in kClosed;
//    only then the channel's memory may go.
// 2. A channel that is paused or has ended and gets HUP or ERR leaves the set; it is never skipped
//    (HUP cannot be masked: the loop would spin).
// 3. After the end of stream, readiness to read leaves the set.
// 4. A descriptor leaves the set before it is closed (a dup of it would keep the registration
//    alive).
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "runtime/drivers/channel.h"
#include "runtime/memory/buffers.h"
#include "runtime/system/clock.h"
#include "runtime/system/kernel.h"

namespace trireme { inline namespace v0 {

struct Completion {
  enum class Kind : uint8_t {
    kAcceptable,  // clients may wait at a listening socket: whoever is told calls accept
    // Instead, of a driver that accepts by itself. result: the client's descriptor, the caller's
    // from now on, or -errno: it goes on, until pause(). bytes: the address of the client. Comes
    // after pause() and close(), too, for those that were on their way.
    kAccepted,
    kReceived,  // result: bytes, 0 for the end of the stream, or -errno
    kWritable,  // a send that was cut short may go on
    kUnsent,    // bytes that `send` had taken to send later, and could not; result: 0 or -errno
    kClosed,    // the channel is the caller's again
  } kind = Kind::kReceived;
  Channel* channel = nullptr;
  int32_t result = 0;
  std::span<char> bytes{};  // the driver's memory, valid until the next `next`
};

// Bytes of an open file.
struct FilePart {
  int file = -1;
  uint64_t offset = 0;
  size_t bytes = 0;
};

// What a send did. `error` 0: `bytes` were taken; if these are not all, kWritable comes when more
// can be.
struct Sent {
  size_t bytes = 0;
  int error =
      0;  // -errno; nothing of the connection can be sent any more, -ENOBUFS and -ENOMEM excepted
};

// What `send` had taken and the socket did not take: the caller's again.
struct Unsent {
  std::span<const char> bytes{};  // the driver's memory, valid until the next `wait`
  int error = 0;                  // as in Sent
};

// What waits at a socket, or on its way from there, and was not told yet.
struct Waiting {
  bool input = false;  // bytes, the end or an error
  bool room = false;   // a send that was cut short may go on
};

class Driver {
 public:
  struct Traits {
    std::string_view name;
    bool loop_may_move = true;     // another thread may call it next: hand-over is possible
    bool worker_may_write = true;  // a data worker may send on a descriptor that the driver watches
    // `send` may take bytes that leave with the next `wait` only. What the socket does not take of
    // them comes back as kUnsent, in front of all that is sent later.
    bool gathers_sends = false;
    bool listens = false;  // a listening socket may be attached
  };

  virtual ~Driver() = default;
  virtual Traits traits() const = 0;

  // The only call that sleeps: until something is ready, `wake` was called, or `until`.
  virtual void wait(TimePoint now, TimePoint until) = 0;
  // Takes what is there, as wait(now, now) does, for a caller that looks again and again. A driver
  // may look at a part of its channels only, if that costs less: what waits at another is found by
  // one of the next few looks. Nothing of the driver but `ready` may be called between a look and
  // the `next` that gives out what it has found.
  virtual void look(TimePoint now) { wait(now, now); }
  // The next completion, or false when all of this turn have been given out.
  virtual bool next(Completion& out) = 0;
  // True: `next` has something to give out.
  virtual bool ready() const = 0;
  // False: `wait` left ready channels behind, the loop is late.
  virtual bool drained() const = 0;

  // Takes the descriptor, armed for receiving (or accepting). 0 or -errno; the driver owns the
  // descriptor from now on, failed or not: on failure it is closed, and no kClosed follows.
  virtual int attach(Channel& channel, Channel::Role role, int fd) = 0;
  virtual void receive(Channel& channel) = 0;  // after pause(): armed again
  virtual void pause(Channel& channel) = 0;    // no kReceived (kAcceptable) until receive()
  virtual Sent send(Channel& channel, std::span<const iovec> pieces) = 0;
  // The same from a file, at once. Nothing that `send` has taken waits (settle). -ENODATA: the file
  // ends before.
  virtual Sent send_file(Channel& channel, const FilePart& part) = 0;
  // Sends at once what `send` has taken to send later, and gives back what the socket does not take
  // (kWritable comes when it can). Needed before shutdown_write and close in good order, and before
  // anybody else sends.
  virtual Unsent settle(Channel&) { return {}; }
  virtual void shutdown_write(Channel& channel) = 0;
  virtual void close(Channel& channel) = 0;
  // Bytes that have arrived and were not received yet.
  virtual size_t bytes_readable(const Channel& channel) = 0;
  // How many bytes that were sent the peer's system has not taken yet; 0 if that cannot be said.
  virtual size_t bytes_unsent(const Channel& channel) = 0;
  // For clocks, which judge a client only after its own socket was asked: no wait, however late,
  // promises that it has told of all. A system call each. What cannot be known counts as waiting.
  virtual Waiting waiting(const Channel& channel) = 0;
  // For how long, at least, no byte has come or gone, as the kernel has noted it; Duration::max()
  // if that cannot be said.
  virtual Duration quiet_time(const Channel&) { return Duration::max(); }

  // Puts `fresh` in place of the read buffer and returns that, for a request whose bytes must
  // outlive this turn. No allocation, no system call: allowed while the loop is TAKEN.
  virtual Block swap_read_buffer(Block fresh) = 0;
  // At most this many bytes a receive, at most the size of the buffer. For times of little memory.
  virtual void set_receive_bytes_max(size_t bytes) = 0;

  // Any thread. Ends a wait, now or the next one. False: the kernel refused, nobody was woken.
  virtual bool wake() noexcept = 0;
};

// The thread that drives, for drivers: sends from a file to a connected socket until all has left,
// the socket is full (`is_full`), or there is an error.
Sent send_file_to(Kernel& kernel, int socket, const FilePart& part, bool& is_full);
// The thread that drives. What the kernel says of a connected socket, for drivers.
Waiting waiting_at(Kernel& kernel, int fd);
Duration quiet_time_of(Kernel& kernel, int fd);

// Any thread. What an errno of attach() means, and what to change.
std::string why_not_watched(int error);

}}  // namespace trireme
