#include "stage.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "sim/address.h"

namespace trireme { inline namespace v0 { namespace sim {
namespace {

std::string show(ssize_t result) {
  if (result >= 0) return std::to_string(result);
  const char* name = ::strerrorname_np(static_cast<int>(-result));
  return name != nullptr ? name : std::to_string(result);
}

std::string show_events(uint32_t events) {
  static constexpr std::pair<uint32_t, const char*> kNames[] = {
      {EPOLLIN, "IN"},   {EPOLLOUT, "OUT"}, {EPOLLRDHUP, "RDHUP"},
      {EPOLLHUP, "HUP"}, {EPOLLERR, "ERR"}, {EPOLLPRI, "PRI"}};
  std::string text;
  for (const auto& [bit, name] : kNames) {
    if ((events & bit) != 0) text += (text.empty() ? "" : "|") + std::string(name);
  }
  return text;
}

}  // namespace

Stage::~Stage() {
  for (const auto& [name, fd] : fds_) host_.kernel.close(fd);
  for (const auto& [name, path] : paths_) host_.kernel.remove_file(path);
}

void Stage::note(const std::string& call, const std::string& result) {
  transcript_ += call + " = " + result + "\n";
}

void Stage::note(const std::string& call, ssize_t result) { note(call, show(result)); }

void Stage::name_it(const std::string& name, int fd) {
  if (fd < 0) return;
  fds_[name] = fd;
  names_.push_back(name);
  numbers_[name] = names_.size();
}

void Stage::open(const std::string& name, int family) {
  const int fd = host_.kernel.socket(family, SOCK_STREAM);
  name_it(name, fd);
  sockets_.insert(name);
  note("socket " + name, fd < 0 ? fd : 0);
}

void Stage::listen(const std::string& name, int backlog, int family) {
  open(name, family);
  host_.kernel.bind(fds_[name], family == AF_INET ? ipv4_address(0) : ipv6_address(0));
  note("listen " + name, host_.kernel.listen(fds_[name], backlog));
  host_.kernel.local_address(fds_[name], addresses_[name]);
}

void Stage::connect(const std::string& name, const std::string& listener) {
  open(name, addresses_[listener].storage.ss_family);
  connect_again(name, listener);
}

void Stage::connect_again(const std::string& name, const std::string& listener) {
  note("connect " + name, host_.kernel.connect(fds_[name], addresses_[listener]));
  host_.settle();
}

void Stage::accept(const std::string& listener, const std::string& name) {
  SocketAddress peer;
  const int fd = host_.kernel.accept(fds_[listener], peer);
  name_it(name, fd);
  sockets_.insert(name);
  std::string from;
  for (const auto& [other, other_fd] : fds_) {
    SocketAddress address;
    if (other == name || !sockets_.contains(other)) continue;
    const int known = host_.kernel.local_address(other_fd, address);
    if (address.storage.ss_family == AF_UNIX) continue;
    const bool is_v6 = address.storage.ss_family == AF_INET6;
    if (known == 0 && fd >= 0 && port_of(address) == port_of(peer) &&
        is_v6 == (peer.storage.ss_family == AF_INET6)) {
      from += " from " + other;
    }
  }
  note("accept " + name + from, fd < 0 ? fd : 0);
}

void Stage::bind_path(const std::string& name) {
  static int last = 0;
  std::string& path = paths_[name];
  path = "/tmp/trireme-parity-" + std::to_string(::getpid()) + "-" + std::to_string(++last);
  addresses_[name] = unix_address(path);
  note("bind " + name, host_.kernel.bind(fds_[name], addresses_[name]));
}

void Stage::listen_unix(const std::string& name, int backlog) {
  open(name, AF_UNIX);
  bind_path(name);
  listen_now(name, backlog);
}

void Stage::pair_unix(const std::string& client, const std::string& server) {
  const std::string listener = "listener of " + client;
  listen_unix(listener);
  connect(client, listener);
  accept(listener, server);
  close(listener);
}

void Stage::file(const std::string& name) {
  FileStatus status;
  const int result = host_.kernel.file_status(paths_[name], status);
  char mode[16];
  std::snprintf(mode, sizeof(mode), "%03o", status.mode);
  note("file " + name,
       result < 0 ? show(result) : std::string(status.is_socket ? "socket " : "") + mode);
}

void Stage::remove_file(const std::string& name) {
  note("remove file " + name, host_.kernel.remove_file(paths_[name]));
}

void Stage::mode_before(const std::string& name, uint32_t mode) {
  note("mode " + name, host_.kernel.set_mode(fds_[name], mode));
}

void Stage::file_mode(const std::string& name, uint32_t mode) {
  note("file mode " + name, host_.kernel.set_file_mode(paths_[name], mode));
}

void Stage::credentials(const std::string& name) {
  Credentials peer;
  const int result = host_.kernel.peer_credentials(fds_[name], peer);
  note("credentials " + name, result < 0               ? show(result)
                              : peer.uid == UINT32_MAX ? std::string("nobody")
                                                       : std::string("a process"));
}

void Stage::get(const std::string& name, int option) {
  int value = -1;
  const int result = host_.kernel.get_option(fds_[name], SOL_SOCKET, option, value);
  note("get_option " + name, result < 0 ? result : value);
}

void Stage::pair(const std::string& client, const std::string& server) {
  const std::string listener = "listener of " + client;
  listen(listener);
  connect(client, listener);
  accept(listener, server);
  close(listener);
}

void Stage::bind_to(const std::string& name, const std::string& other) {
  note("bind " + name, host_.kernel.bind(fds_[name], addresses_[other]));
}

void Stage::set(const std::string& name, int level, int option, int value) {
  note("set_option " + name, host_.kernel.set_option(fds_[name], level, option, value));
}

void Stage::listen_now(const std::string& name, int backlog) {
  note("listen " + name, host_.kernel.listen(fds_[name], backlog));
}

void Stage::send(const std::string& name, const std::string& bytes) {
  const iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
  note("send " + name, host_.kernel.send(fds_[name], {&piece, 1}));
  host_.settle();
}

void Stage::fill(const std::string& name) {
  std::string bytes(65'536, 'x');
  const iovec piece{bytes.data(), bytes.size()};
  ssize_t result = 0;
  // On the real loopback the receiver's window opens in steps: full is full only after a pause.
  for (int round = 0; round < 20; ++round) {
    while ((result = host_.kernel.send(fds_[name], {&piece, 1})) > 0) continue;
    host_.settle();
  }
  note("fill " + name, result);
}

void Stage::drain(const std::string& name) {
  std::string bytes(65'536, '\0');
  ssize_t result = 0;
  for (int round = 0; round < 20; ++round) {
    while ((result = host_.kernel.receive(fds_[name], bytes)) > 0) continue;
    if (result != -EAGAIN) break;
    host_.settle();
  }
  note("drain " + name, result);
}

void Stage::receive(const std::string& name, size_t bytes_max) {
  std::string bytes(bytes_max, '\0');
  const ssize_t size = host_.kernel.receive(fds_[name], bytes);
  if (size > 0) {
    note("receive " + name, "'" + bytes.substr(0, static_cast<size_t>(size)) + "'");
  } else {
    note("receive " + name, size);
  }
  host_.settle();
}

void Stage::readable(const std::string& name) {
  note("readable " + name, host_.kernel.bytes_readable(fds_[name]));
}

void Stage::error(const std::string& name) {
  note("error " + name, -host_.kernel.socket_error(fds_[name]));
}

void Stage::shutdown(const std::string& name, int how) {
  static constexpr const char* kHow[] = {"read", "write", "both"};
  note("shutdown " + name + " " + kHow[how], host_.kernel.shutdown(fds_[name], how));
  host_.settle();
}

void Stage::close(const std::string& name) {
  note("close " + name, host_.kernel.close(fds_[name]));
  fds_.erase(name);
  host_.settle();
}

void Stage::reset(const std::string& name) {
  note("reset " + name, host_.reset(fds_[name]));
  fds_.erase(name);
  host_.settle();
}

void Stage::epoll(const std::string& name) { name_it(name, host_.kernel.epoll_create()); }

void Stage::event(const std::string& name) { name_it(name, host_.kernel.event_create()); }

void Stage::signal(const std::string& name) {
  note("signal " + name, host_.kernel.event_signal(fds_[name]));
}

void Stage::clear(const std::string& name) {
  note("clear " + name, host_.kernel.event_clear(fds_[name]));
}

void Stage::control(int operation, const std::string& epoll, const std::string& name,
                    uint32_t events) {
  auto* data = reinterpret_cast<void*>(numbers_[name]);
  const int result = host_.kernel.epoll_control(fds_[epoll], operation, fds_[name], events, data);
  static constexpr const char* kNames[] = {"", "add ", "remove ", "modify "};
  note(kNames[operation] + name + " " + show_events(events), result);
}

void Stage::add(const std::string& epoll, const std::string& name, uint32_t events) {
  control(EPOLL_CTL_ADD, epoll, name, events);
}

void Stage::modify(const std::string& epoll, const std::string& name, uint32_t events) {
  control(EPOLL_CTL_MOD, epoll, name, events);
}

void Stage::remove(const std::string& epoll, const std::string& name) {
  control(EPOLL_CTL_DEL, epoll, name, 0);
}

void Stage::wait(const std::string& epoll, size_t events_max, int timeout_ms) {
  std::vector<epoll_event> events(events_max);
  const int count = host_.kernel.epoll_wait(fds_[epoll], events, timeout_ms);
  std::string text = show(count);
  for (int i = 0; i < count; ++i) {
    const auto& event = events[static_cast<size_t>(i)];
    const auto number = reinterpret_cast<size_t>(event.data.ptr);
    text += " [" + names_[number - 1] + " " + show_events(event.events) + "]";
  }
  note("wait", text);
}

void Stage::poll(const Wanted& what, int timeout_ms) {
  std::vector<pollfd> set;
  for (const auto& [name, events] : what)
    set.push_back({fds_[name], static_cast<short>(events), 0});
  std::string text = show(host_.kernel.poll(set, timeout_ms));
  for (size_t i = 0; i < set.size(); ++i) {
    if (set[i].revents == 0) continue;
    text += " [" + what[i].first + " " + show_events(static_cast<uint16_t>(set[i].revents)) + "]";
  }
  note("poll", text);
}

void Stage::select(const Wanted& what, int timeout_ms) {
  fd_set read, write;
  FD_ZERO(&read);
  FD_ZERO(&write);
  int end = 0;
  for (const auto& [name, events] : what) {
    const int fd = fds_[name];
    if (events & EPOLLIN) FD_SET(fd, &read);
    if (events & EPOLLOUT) FD_SET(fd, &write);
    end = std::max(end, fd + 1);
  }
  std::string text = show(host_.kernel.select(end, read, write, timeout_ms));
  for (const auto& [name, events] : what) {
    if (FD_ISSET(fds_[name], &read)) text += " [" + name + " readable]";
    if (FD_ISSET(fds_[name], &write)) text += " [" + name + " writable]";
  }
  note("select", text);
}

}}}  // namespace trireme::sim
