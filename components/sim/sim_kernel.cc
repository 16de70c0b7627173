#include "sim/sim_kernel.h"

#include <cerrno>
#include <string>

#include "sim/epoll.h"
#include "sim/event.h"
#include "sim/fail.h"
#include "sim/socket.h"
#include "sim/unix_socket.h"

namespace trireme { inline namespace v0 { namespace sim {
namespace {

constexpr int kFirstDescriptor = 3;                          // 0, 1 and 2 are the standard streams
constexpr Credentials kOwner{.pid = 1, .uid = 0, .gid = 0};  // of the simulated process

}  // namespace

SimKernel::SimKernel(Network& network, const Faults& faults, const Settings& settings)
    : network_(network),
      scheduler_(network.scheduler),
      faults_(faults),
      has_ipv6_(settings.has_ipv6),
      descriptors_max_(settings.descriptors_max),
      random_(settings.seed),
      objects_(kFirstDescriptor) {}

SimKernel::~SimKernel() {
  // As at the end of a process: every connection sees its FIN or RST, every link is cut.
  for (auto& object : objects_) {
    if (object == nullptr) continue;
    object->drop_watches();
    object->close_descriptor();
  }
}

int SimKernel::lowest_free() const {
  const int fd = free_.empty() ? static_cast<int>(objects_.size()) : *free_.begin();
  return fd < descriptors_max_ ? fd : -EMFILE;
}

int SimKernel::open(std::shared_ptr<Pollable> object) {
  const int fd = lowest_free();
  if (fd < 0) return fd;
  if (fd == static_cast<int>(objects_.size())) {
    objects_.push_back(std::move(object));
  } else {
    free_.erase(fd);
    objects_[static_cast<size_t>(fd)] = std::move(object);
  }
  ++open_count_;
  return fd;
}

std::shared_ptr<Pollable> SimKernel::object_of(int fd, const char* call) const {
  const bool known = fd >= 0 && static_cast<size_t>(fd) < objects_.size();
  if (!known || objects_[static_cast<size_t>(fd)] == nullptr) {
    fail(std::string(call) + " was called on descriptor " + std::to_string(fd) +
         ", which is not open.");
  }
  return objects_[static_cast<size_t>(fd)];
}

std::shared_ptr<StreamSocket> SimKernel::socket_of(int fd, const char* call) const {
  auto socket = std::dynamic_pointer_cast<StreamSocket>(object_of(fd, call));
  if (socket == nullptr) {
    fail(std::string(call) + " was called on descriptor " + std::to_string(fd) +
         ", which is no socket.");
  }
  return socket;
}

int SimKernel::socket(int family, int type) {
  return call(Call::kSocket, family, type, [&]() -> int {
    const bool is_unix = family == AF_UNIX;
    if (family != AF_INET && family != AF_INET6 && !is_unix) return -EAFNOSUPPORT;
    if (family == AF_INET6 && !has_ipv6_) return -EAFNOSUPPORT;
    if ((type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) != SOCK_STREAM) return -EPROTONOSUPPORT;
    if (const int fd = lowest_free(); fd < 0) return fd;
    if (is_unix) return open(std::make_shared<UnixSocket>(network_, kOwner));
    return open(std::make_shared<Socket>(network_, family));
  });
}

int SimKernel::bind(int fd, const SocketAddress& address) {
  return call(Call::kBind, fd, 0, [&] { return socket_of(fd, "bind")->bind(address); });
}

int SimKernel::listen(int fd, int backlog) {
  return call(Call::kListen, fd, backlog, [&] { return socket_of(fd, "listen")->listen(backlog); });
}

int SimKernel::connect(int fd, const SocketAddress& address) {
  return call(Call::kConnect, fd, 0, [&] { return socket_of(fd, "connect")->connect(address); });
}

int SimKernel::accept_fault() {
  if (happens(FaultKind::kInterrupted, faults_.interrupted)) return -EINTR;
  if (happens(FaultKind::kAcceptAborted, faults_.accept_aborted)) return -ECONNABORTED;
  if (happens(FaultKind::kNoDescriptor, faults_.accept_no_descriptor)) return -EMFILE;
  if (!happens(FaultKind::kAcceptExhausted, faults_.accept_exhausted)) return 0;
  constexpr int kErrors[] = {ENFILE, ENOBUFS, ENOMEM};
  return -kErrors[random_.below(3)];
}

int SimKernel::accept(int fd, SocketAddress& peer) {
  return call(Call::kAccept, fd, 0, [&]() -> int {
    const auto listener = socket_of(fd, "accept");
    if (const int error = accept_fault(); error != 0) return error;
    // Linux reserves the number first: at the limit the answer is EMFILE even with nobody waiting.
    if (const int number = lowest_free(); number < 0) return number;
    std::shared_ptr<StreamSocket> connection;
    if (const int error = listener->accept(connection, peer); error != 0) return error;
    return open(std::move(connection));
  });
}

int SimKernel::set_option(int fd, int level, int name, int value) {
  return call(Call::kSetOption, fd, int64_t{level} << 32 | name,
              [&] { return socket_of(fd, "setsockopt")->set_option(level, name, value); });
}

int SimKernel::socket_error(int fd) {
  return call(Call::kSocketError, fd, 0, [&] { return socket_of(fd, "SO_ERROR")->take_error(); });
}

int SimKernel::local_address(int fd, SocketAddress& address) {
  return call(Call::kLocalAddress, fd, 0, [&] {
    address = socket_of(fd, "getsockname")->local_address();
    return 0;
  });
}

ssize_t SimKernel::receive(int fd, std::span<char> into) {
  return call(Call::kReceive, fd, static_cast<int64_t>(into.size()), [&]() -> ssize_t {
    if (into.empty()) fail("recv was called with no room: its 0 would look like end of stream.");
    const auto socket = socket_of(fd, "recv");
    if (happens(FaultKind::kInterrupted, faults_.interrupted)) return -EINTR;
    if (socket->bytes_readable() > 0 && happens(FaultKind::kNotReady, faults_.receive_not_ready)) {
      socket->announce_later();
      return -EAGAIN;
    }
    const ssize_t size = socket->receive(into);
    if (size > 0) scheduler_.trace().add_bytes({into.data(), static_cast<size_t>(size)});
    return size;
  });
}

ssize_t SimKernel::send(int fd, std::span<const iovec> from) {
  size_t total = 0;
  for (const iovec& piece : from) total += piece.iov_len;
  return call(Call::kSend, fd, static_cast<int64_t>(total), [&]() -> ssize_t {
    if (from.size() > 1'024) fail("sendmsg was called with more than IOV_MAX pieces.");
    const auto socket = socket_of(fd, "sendmsg");
    if (happens(FaultKind::kInterrupted, faults_.interrupted)) return -EINTR;
    if (happens(FaultKind::kSendNoBuffers, faults_.send_no_buffers)) return -ENOBUFS;
    for (const iovec& piece : from) {
      scheduler_.trace().add_bytes({static_cast<const char*>(piece.iov_base), piece.iov_len});
    }
    return socket->send(from);
  });
}

ssize_t SimKernel::bytes_readable(int fd) {
  return call(Call::kBytesReadable, fd, 0,
              [&] { return socket_of(fd, "SIOCINQ")->bytes_readable(); });
}

ssize_t SimKernel::bytes_unsent(int fd) {
  return call(Call::kBytesUnsent, fd, 0, [&] { return socket_of(fd, "SIOCOUTQ")->bytes_unsent(); });
}

int64_t SimKernel::quiet_ms(int fd) {
  return call(Call::kQuietTime, fd, 0, [&] { return socket_of(fd, "TCP_INFO")->quiet_ms(); });
}

int SimKernel::shutdown(int fd, int how) {
  return call(Call::kShutdown, fd, how, [&] { return socket_of(fd, "shutdown")->shutdown(how); });
}

int SimKernel::break_off(int fd) {
  return call(Call::kBreakOff, fd, 0, [&] {
    socket_of(fd, "SO_LINGER")->resets_at_close = true;
    return 0;
  });
}

int SimKernel::release(int fd, const char* call) {
  const auto object = object_of(fd, call);
  object->drop_watches();
  objects_[static_cast<size_t>(fd)] = nullptr;
  free_.insert(fd);
  --open_count_;
  return 0;
}

int SimKernel::close(int fd) {
  return call(Call::kClose, fd, 0, [&] {
    const auto object = object_of(fd, "close");
    release(fd, "close");
    const auto socket = std::dynamic_pointer_cast<StreamSocket>(object);
    if (socket != nullptr && socket->resets_at_close) {
      socket->reset_descriptor();
    } else {
      object->close_descriptor();
    }
    return 0;
  });
}

int SimKernel::reset(int fd) {
  return call(Call::kReset, fd, 0, [&] {
    const auto socket = socket_of(fd, "reset");
    release(fd, "reset");
    socket->reset_descriptor();
    return 0;
  });
}

int64_t SimKernel::raise_descriptor_limit() {
  return call(Call::kRaiseDescriptorLimit, 0, 0, [&] { return int64_t{descriptors_max_}; });
}

}}}  // namespace trireme::sim
