// One ring of io_uring, and the memory that the kernel receives into.
//
// Step: below steps 2 and 6. Thread: the one that calls enable(), and no other from then on but to
// close: with IORING_SETUP_DEFER_TASKRUN the kernel runs completions in that thread, while it is in
// enter(). When a ring is closed, it interrupts the threads that have opened or entered it, as by a
// signal: it should be opened by a thread that ends, and closed when the one that enters has ended.
#pragma once

#include <liburing.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "runtime/system/clock.h"
#include "runtime/system/kernel.h"

namespace trireme { inline namespace v0 { namespace uring {

// What an operation is for. In the lowest byte of its user_data; above it, who it is for. kPeer is
// a system call beside the ring.
enum class Op : uint8_t { kReceive = 1, kSend, kWritable, kHangUp, kWake, kCancel, kAccept, kPeer };

struct Done {
  Op op;
  uint32_t who;
  int32_t result;
  uint32_t flags;  // IORING_CQE_F_*
};

// Makes chosen operations fail, for tests: they are not started, and complete with -errno.
class Faults {
 public:
  virtual ~Faults() = default;
  virtual int fail(Op op) = 0;  // an errno, or 0
};

class Ring {
 public:
  Ring() = default;
  ~Ring() { close(); }
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  // 0 or -errno. Any thread; nothing runs before enable().
  int open(Faults* faults) { return open_with(0, faults); }
  // As on an older kernel: `age` better sets of flags are left out.
  static constexpr size_t kAges = 2;
  int open_with(size_t age, Faults* faults);
  // 0 or -errno. The calling thread is the ring's from now on.
  int enable();
  bool enabled() const { return enabled_; }
  bool is_open() const { return is_open_; }
  // All that the ring's operations hold is let go.
  void close();
  ::io_uring* raw() { return &ring_; }

  // Prepares an operation by `prepare(sqe)`; the next enter() starts it. `flags`: IOSQE_*.
  template <class Prepare>
  void start(Op op, uint32_t who, uint8_t flags, Prepare prepare) {
    io_uring_sqe* sqe = free_entry();
    const int error = faults_ != nullptr ? faults_->fail(op) : 0;
    if (error != 0) {
      io_uring_prep_nop(sqe);
      io_uring_sqe_set_data64(sqe, pack(op, who) | kFailed | uint64_t(error) << kErrorShift);
      return;
    }
    prepare(sqe);
    sqe->flags |= flags;
    io_uring_sqe_set_data64(sqe, pack(op, who));
  }
  void cancel(Op op, uint32_t who);
  // getpeername(2), which no operation of the ring does. 0 or -errno: -ENOTCONN where the client
  // has reset. Fails as Op::kPeer.
  int peer_address(int fd, SocketAddress& peer);

  // Starts what was prepared and waits for a completion, `time` at most; zero or less: does not
  // wait, kForEver: as long as it takes. 0 or -errno.
  static constexpr Duration kForEver = Duration::max();
  int enter(Duration time);
  // Everything that was prepared has been started.
  bool all_started() const { return io_uring_sq_ready(&ring_) == 0; }

  // What completions that were not reaped yet say of an operation.
  struct Unreaped {
    size_t count = 0;
    size_t bytes = 0;
  };
  Unreaped unreaped(Op op, uint32_t who) const;

  // All completions so far, each told to `tell(Done)`.
  template <class Tell>
  void reap(Tell tell) {
    io_uring_cqe* cqe = nullptr;
    unsigned head = 0, count = 0;
    io_uring_for_each_cqe(&ring_, head, cqe) {
      ++count;
      const uint64_t data = cqe->user_data;
      const auto op = static_cast<Op>(data & kOpMask);
      const auto who = static_cast<uint32_t>(data >> kWhoShift);
      if (data & kFailed) {
        tell(Done{op, who, -static_cast<int32_t>(data >> kErrorShift & 0xfff), 0});
      } else {
        tell(Done{op, who, cqe->res, cqe->flags});
      }
    }
    io_uring_cq_advance(&ring_, count);
  }

 private:
  static constexpr uint64_t kOpMask = 0x7f, kFailed = 0x80;
  static constexpr int kErrorShift = 8, kWhoShift = 32;
  static constexpr unsigned kEntries = 512, kCompletionsMax = 8192;

  static uint64_t pack(Op op, uint32_t who) {
    return uint64_t{who} << kWhoShift | static_cast<uint64_t>(op);
  }
  io_uring_sqe* free_entry();

  ::io_uring ring_{};
  Faults* faults_ = nullptr;
  bool is_open_ = false;
  bool enabled_ = false;
};

// Buffers of one size that the kernel takes from as data arrives. It takes them in turn, so few are
// better: those stay in the cache. There are more only when they were not enough.
class BufferGroup {
 public:
  BufferGroup(uint16_t id, uint32_t buffer_bytes, uint16_t count);

  // 0 or -errno. `count` is a power of two.
  int register_with(Ring& ring);
  // There were too few: as many again, at most `count`.
  void grow();
  uint16_t id() const { return id_; }
  uint32_t buffer_bytes() const { return buffer_bytes_; }
  std::span<char> bytes(uint16_t buffer, size_t size) {
    return {memory_.get() + size_t{buffer} * buffer_bytes_, size};
  }
  // The kernel may use it again.
  void give_back(uint16_t buffer);

 private:
  struct Free {
    void operator()(void* memory) const { ::operator delete (memory, std::align_val_t{4096}); }
  };
  const uint16_t id_;
  const uint32_t buffer_bytes_;
  const uint16_t count_;
  uint16_t in_use_ = 0;  // by the kernel or by us; those above were never touched
  std::unique_ptr<char[]> memory_;
  std::unique_ptr<io_uring_buf_ring, Free> ring_;
};

struct RingSizes {
  uint32_t small_bytes = 4 << 10;  // for requests
  uint16_t small_count = 256;
  uint32_t large_bytes = 64 << 10;  // for streams
  uint16_t large_count = 8;
  size_t kernel_age = 0;     // Ring::open_with
  bool accepts_many = true;  // false: as if the kernel had no multishot accept
};

// All that a loop has of the kernel: a ring, and the buffers that it receives into.
struct BufferedRing {
  explicit BufferedRing(const RingSizes& sizes)
      : small(0, sizes.small_bytes, sizes.small_count),
        large(1, sizes.large_bytes, sizes.large_count),
        age(sizes.kernel_age) {}
  // 0 or -errno, and then it may be tried again. Any thread; nothing runs before Ring::enable().
  int open(Faults* faults);

  BufferGroup small, large;  // die after the ring
  Ring ring;
  const size_t age;
};

}}}  // namespace trireme::uring
