#include "runtime/system/real_kernel.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "runtime/system/real_calls.h"
#include "runtime/system/real_fork.h"
#include "runtime/system/real_group.h"

namespace trireme { inline namespace v0 {
namespace {

template <class T>
T result_of(T result) {
  return result >= 0 ? result : static_cast<T>(-errno);
}

const sockaddr* raw(const SocketAddress& address) {
  return reinterpret_cast<const sockaddr*>(&address.storage);
}
sockaddr* raw(SocketAddress& address) { return reinterpret_cast<sockaddr*>(&address.storage); }

}  // namespace

RealKernel::RealKernel() : Kernel(kHasRealCalls) { watch_forks(); }

int RealKernel::socket(int family, int type) {
  return result_of(::socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

int RealKernel::bind(int fd, const SocketAddress& address) {
  return result_of(::bind(fd, raw(address), address.size));
}

int RealKernel::listen(int fd, int backlog) { return result_of(::listen(fd, backlog)); }

int RealKernel::connect(int fd, const SocketAddress& address) {
  return result_of(::connect(fd, raw(address), address.size));
}

int RealKernel::accept(int fd, SocketAddress& peer) {
  peer.size = sizeof(peer.storage);
  return result_of(::accept4(fd, raw(peer), &peer.size, SOCK_NONBLOCK | SOCK_CLOEXEC));
}

int RealKernel::set_option(int fd, int level, int name, int value) {
  return result_of(::setsockopt(fd, level, name, &value, sizeof(value)));
}

int RealKernel::set_text_option(int fd, int level, int name, std::string_view value) {
  return result_of(
      ::setsockopt(fd, level, name, value.data(), static_cast<socklen_t>(value.size())));
}

int RealKernel::get_option(int fd, int level, int name, int& value) {
  socklen_t size = sizeof(value);
  return result_of(::getsockopt(fd, level, name, &value, &size));
}

int RealKernel::peer_credentials(int fd, Credentials& peer) {
  ucred known{};
  socklen_t size = sizeof(known);
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &known, &size) != 0) return -errno;
  peer = {.pid = known.pid, .uid = known.uid, .gid = known.gid};
  return 0;
}

int RealKernel::socket_error(int fd) {
  int error = 0;
  socklen_t size = sizeof(error);
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

int RealKernel::local_address(int fd, SocketAddress& address) {
  address.size = sizeof(address.storage);
  return result_of(::getsockname(fd, raw(address), &address.size));
}

ssize_t RealKernel::receive(int fd, std::span<char> into) {
  if (kHasRealCalls) return real_receive(fd, into);
  return result_of(::recv(fd, into.data(), into.size(), 0));
}

ssize_t RealKernel::send(int fd, std::span<const iovec> from) {
  // One piece is the common case, and send(2) is the cheaper call: no message header to copy in and
  // check.
  if (from.size() == 1) {
    if (kHasRealCalls) return real_send(fd, from[0]);
    return result_of(::send(fd, from[0].iov_base, from[0].iov_len, MSG_NOSIGNAL));
  }
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(from.data());
  message.msg_iovlen = from.size();
  return result_of(::sendmsg(fd, &message, MSG_NOSIGNAL));
}

ssize_t RealKernel::bytes_readable(int fd) {
  int bytes = 0;
  return ::ioctl(fd, SIOCINQ, &bytes) == 0 ? bytes : -errno;
}

ssize_t RealKernel::bytes_unsent(int fd) {
  int family = 0;
  if (get_option(fd, SOL_SOCKET, SO_DOMAIN, family) == 0 && family == AF_UNIX) return 0;
  int bytes = 0;
  return ::ioctl(fd, SIOCOUTQ, &bytes) == 0 ? bytes : -errno;
}

int64_t RealKernel::quiet_ms(int fd) {
  constexpr int64_t kTickMax = 10;  // the kernel counts in ticks of 1 to 10 ms
  tcp_info info{};
  socklen_t size = sizeof(info);
  if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0) return -errno;
  int64_t quiet = info.tcpi_last_data_recv;
  // A peer that has vanished is sent the same bytes again and again.
  if (info.tcpi_retransmits == 0) quiet = std::min<int64_t>(quiet, info.tcpi_last_data_sent);
  return std::max<int64_t>(quiet - kTickMax, 0);
}

int RealKernel::break_off(int fd) {
  sockaddr nobody{};
  nobody.sa_family = AF_UNSPEC;
  return result_of(::connect(fd, &nobody, sizeof(nobody)));
}

int RealKernel::shutdown(int fd, int how) { return result_of(::shutdown(fd, how)); }

int RealKernel::close(int fd) {
  // On Linux the descriptor is gone even if close(2) says EINTR.
  return ::close(fd) == 0 || errno == EINTR ? 0 : -errno;
}

int RealKernel::epoll_create() { return result_of(::epoll_create1(EPOLL_CLOEXEC)); }

int RealKernel::epoll_control(int epoll_fd, int operation, int fd, uint32_t events, void* data) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = data;
  return result_of(::epoll_ctl(epoll_fd, operation, fd, &event));
}

int RealKernel::epoll_wait(int epoll_fd, std::span<epoll_event> into, int timeout_ms) {
  return result_of(::epoll_wait(epoll_fd, into.data(), static_cast<int>(into.size()), timeout_ms));
}

int RealKernel::poll(std::span<pollfd> set, int timeout_ms) {
  return result_of(::poll(set.data(), set.size(), timeout_ms));
}

int RealKernel::select(int end, fd_set& read, fd_set& write, int timeout_ms) {
  timeval timeout{timeout_ms / 1000, timeout_ms % 1000 * 1000};
  return result_of(::select(end, &read, &write, nullptr, timeout_ms < 0 ? nullptr : &timeout));
}

int RealKernel::event_create() { return result_of(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)); }

int RealKernel::event_signal(int fd) {
  const uint64_t one = 1;
  return result_of(::write(fd, &one, sizeof(one))) < 0 ? -errno : 0;
}

int RealKernel::event_clear(int fd) {
  uint64_t count = 0;
  return result_of(::read(fd, &count, sizeof(count))) < 0 ? -errno : 0;
}

int64_t RealKernel::raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return -errno;
  if (limit.rlim_cur < limit.rlim_max) {
    rlimit raised = limit;
    raised.rlim_cur = limit.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) {
      note_raised_limit(limit.rlim_cur, raised.rlim_cur);
      limit = raised;
    }
  }
  return limit.rlim_cur == RLIM_INFINITY ? INT64_C(1) << 30 : static_cast<int64_t>(limit.rlim_cur);
}

// Opened the wrong way round, so that who reads or writes there fails with EBADF as before. Without
// /dev/null, in a bare root directory, that directory is a place holder that nobody can read.
void RealKernel::fill_standard_descriptors() {
  for (const int wanted : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(wanted, F_GETFD) >= 0 || errno != EBADF) continue;
    int fd = ::open("/dev/null", wanted == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    if (fd < 0) fd = ::open("/", O_PATH | O_DIRECTORY);
    if (fd > STDERR_FILENO) ::close(fd);  // another thread was faster
  }
}

bool RealKernel::has_forked() const { return trireme::has_forked(); }

int RealKernel::interface_index(const char* name) {
  const unsigned index = ::if_nametoindex(name);
  return index > 0 ? static_cast<int>(index) : -errno;
}

int64_t RealKernel::memory_limit() {
  int64_t least = read_group_limits().memory_bytes;
  for (const auto resource : {RLIMIT_DATA, RLIMIT_AS}) {
    rlimit limit{};
    if (::getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) continue;
    const auto bytes = static_cast<int64_t>(std::min<rlim_t>(limit.rlim_cur, INT64_MAX));
    if (least == 0 || bytes < least) least = bytes;
  }
  return least;
}

}}  // namespace trireme
