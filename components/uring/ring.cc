#include "uring/ring.h"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <new>

#include "runtime/check.h"

namespace trireme { inline namespace v0 { namespace uring {
namespace {

// Of Linux 6.1, and of 6.0, the first that receives as we need it.
constexpr unsigned kBase =
    IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_R_DISABLED;
constexpr unsigned kFlags[] = {
    kBase | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
    kBase | IORING_SETUP_COOP_TASKRUN,
};
constexpr int kFirstBuffers = 16;
constexpr unsigned kFeatures =
    IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG | IORING_FEAT_FAST_POLL | IORING_FEAT_CQE_SKIP;

}  // namespace

int Ring::open_with(size_t age, Faults* faults) {
  static_assert(std::size(kFlags) == kAges);
  faults_ = faults;
  int result = -EINVAL;
  for (const unsigned flags : std::span(kFlags).subspan(age)) {
    io_uring_params params{};
    params.flags = flags;
    params.cq_entries = kCompletionsMax;
    result = io_uring_queue_init_params(kEntries, &ring_, &params);
    if (result == -EINVAL) continue;
    if (result < 0) return result;
    is_open_ = true;
    if ((params.features & kFeatures) == kFeatures) return 0;
    close();
    return -EOPNOTSUPP;
  }
  return result;
}

int Ring::enable() {
  // By number: liburing 2.3 declares a function for it and does not export it.
  if (::syscall(__NR_io_uring_register, ring_.ring_fd, IORING_REGISTER_ENABLE_RINGS, nullptr, 0) <
      0) {
    return -errno;
  }
  enabled_ = true;
  io_uring_register_ring_fd(&ring_);  // saves the kernel a look-up a call; not needed
  return 0;
}

void Ring::close() {
  if (is_open_) io_uring_queue_exit(&ring_);
  is_open_ = enabled_ = false;
}

void Ring::cancel(Op op, uint32_t who) {
  io_uring_sqe* sqe = free_entry();
  io_uring_prep_cancel64(sqe, pack(op, who), 0);
  sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
  io_uring_sqe_set_data64(sqe, pack(Op::kCancel, who));
}

int Ring::peer_address(int fd, SocketAddress& peer) {
  const int error = faults_ != nullptr ? faults_->fail(Op::kPeer) : 0;
  if (error != 0) return -error;
  peer.size = sizeof(peer.storage);
  return ::getpeername(fd, reinterpret_cast<sockaddr*>(&peer.storage), &peer.size) == 0 ? 0
                                                                                        : -errno;
}

io_uring_sqe* Ring::free_entry() {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
  for (int tries = 0; sqe == nullptr; ++tries) {
    CHECK(tries < 1000, "the ring takes no more operations");
    io_uring_submit(&ring_);
    sqe = io_uring_get_sqe(&ring_);
  }
  return sqe;
}

Ring::Unreaped Ring::unreaped(Op op, uint32_t who) const {
  Unreaped all;
  io_uring_cqe* cqe = nullptr;
  unsigned head = 0;
  io_uring_for_each_cqe(&ring_, head, cqe) {
    if ((cqe->user_data & ~(kFailed | uint64_t{0xffffff00})) != pack(op, who)) continue;
    ++all.count;
    if (cqe->res > 0) all.bytes += static_cast<size_t>(cqe->res);
  }
  return all;
}

int Ring::enter(Duration time) {
  int result = 0;
  if (time == kForEver) {
    result = io_uring_submit_and_wait(&ring_, 1);
  } else if (time <= Duration(0)) {
    result = io_uring_submit_and_get_events(&ring_);
  } else {
    const auto ns = time.count();
    __kernel_timespec until{ns / 1'000'000'000, ns % 1'000'000'000};
    io_uring_cqe* first = nullptr;
    result = io_uring_submit_and_wait_timeout(&ring_, &first, 1, &until, nullptr);
    // The time is over, or it was interrupted, which liburing does not tell where it has submitted.
    // The process may have been stopped for a minute: who was heard meanwhile must be told before
    // the caller's clocks run out.
    if (io_uring_cq_ready(&ring_) == 0) {
      do {
        result = io_uring_submit_and_get_events(&ring_);
      } while (result == -EINTR);
    }
  }
  return result > 0 ? 0 : result;
}

BufferGroup::BufferGroup(uint16_t id, uint32_t buffer_bytes, uint16_t count)
    : id_(id),
      buffer_bytes_(buffer_bytes),
      count_(count),
      memory_(new char[size_t{buffer_bytes} * count]),
      ring_(static_cast<io_uring_buf_ring*>(
          ::operator new (sizeof(io_uring_buf) * count, std::align_val_t{4096}))) {
  io_uring_buf_ring_init(ring_.get());
}

int BufferGroup::register_with(Ring& ring) {
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<uint64_t>(ring_.get());
  registration.ring_entries = count_;
  registration.bgid = id_;
  const int result = io_uring_register_buf_ring(ring.raw(), &registration, 0);
  if (result < 0) return result;
  grow();
  return 0;
}

void BufferGroup::grow() {
  const int wanted = std::min<int>(std::max<int>(2 * in_use_, kFirstBuffers), count_);
  while (in_use_ < wanted) give_back(in_use_++);
}

void BufferGroup::give_back(uint16_t buffer) {
  io_uring_buf_ring_add(ring_.get(), memory_.get() + size_t{buffer} * buffer_bytes_, buffer_bytes_,
                        buffer, io_uring_buf_ring_mask(count_), 0);
  io_uring_buf_ring_advance(ring_.get(), 1);
}

int BufferedRing::open(Faults* faults) {
  int result = ring.open_with(age, faults);
  if (result == 0) result = small.register_with(ring);
  if (result == 0) result = large.register_with(ring);
  if (result < 0) ring.close();
  return result;
}

}}}  // namespace trireme::uring
