#include "support/faulty_kernel.h"

#include <algorithm>
#include <cerrno>

#include "runtime/check.h"

namespace trireme { inline namespace v0 {
namespace {

using Site = FaultyKernel::Site;

struct Named {
  Site site;
  std::string_view name;
};

constexpr std::array<Named, FaultyKernel::kSiteCount> kNames = {{
    {Site::kSocket, "socket"},
    {Site::kBind, "bind"},
    {Site::kListen, "listen"},
    {Site::kConnect, "connect"},
    {Site::kAccept, "accept"},
    {Site::kSetOption, "set_option"},
    {Site::kSocketError, "socket_error"},
    {Site::kLocalAddress, "local_address"},
    {Site::kReceive, "receive"},
    {Site::kSend, "send"},
    {Site::kBytesReadable, "bytes_readable"},
    {Site::kShutdown, "shutdown"},
    {Site::kClose, "close"},
    {Site::kEpollCreate, "epoll_create"},
    {Site::kEpollAdd, "epoll_control(ADD)"},
    {Site::kEpollModify, "epoll_control(MOD)"},
    {Site::kEpollDelete, "epoll_control(DEL)"},
    {Site::kEpollWait, "epoll_wait"},
    {Site::kPoll, "poll"},
    {Site::kSelect, "select"},
    {Site::kEventCreate, "event_create"},
    {Site::kEventSignal, "event_signal"},
    {Site::kEventClear, "event_clear"},
    {Site::kRaiseDescriptorLimit, "raise_descriptor_limit"},
    {Site::kGetOption, "get_option"},
    {Site::kPeerCredentials, "peer_credentials"},
    {Site::kInherit, "inherit"},
    {Site::kSetMode, "set_mode"},
    {Site::kFileStatus, "file_status"},
    {Site::kRemoveFile, "remove_file"},
    {Site::kSetFileMode, "set_file_mode"},
    {Site::kSetFileOwner, "set_file_owner"},
    {Site::kOpenFile, "open_file"},
    {Site::kFileFacts, "file_facts"},
    {Site::kReadFile, "read_file"},
    {Site::kSendFile, "send_file"},
}};

constexpr std::array<Site, FaultyKernel::kSiteCount> kSites = [] {
  std::array<Site, FaultyKernel::kSiteCount> sites{};
  for (size_t i = 0; i < sites.size(); ++i) sites[i] = kNames[i].site;
  return sites;
}();

static_assert(
    [] {
      for (size_t i = 0; i < kSites.size(); ++i) {
        if (static_cast<size_t>(kSites[i]) != i) return false;
      }
      return true;
    }(),
    "every call site is named, in the order of the enumeration");

Site site_of(int operation) {
  if (operation == EPOLL_CTL_ADD) return Site::kEpollAdd;
  return operation == EPOLL_CTL_MOD ? Site::kEpollModify : Site::kEpollDelete;
}

}  // namespace

std::span<const Site> FaultyKernel::sites() { return kSites; }

std::string_view FaultyKernel::name_of(Site site) { return kNames[static_cast<size_t>(site)].name; }

void FaultyKernel::plan(const Fault& fault) {
  CHECK(fault.first >= 1 && fault.times >= 1,
        "a fault begins with call 1 and happens at least once");
  CHECK(fault.error >= 0, "errnos are positive here");
  CHECK(fault.error != 0 || fault.site == Site::kReceive || fault.site == Site::kSend ||
            fault.site == Site::kReadFile || fault.site == Site::kSendFile,
        "only receive, send and the calls for files can be short");
  CHECK(fault.error != 0 || fault.bytes_max > 0, "zero bytes would be the end of the stream");
  CHECK(fault.site != Site::kClose || fault.error != EINTR, "no Kernel returns EINTR from close");
  MutexLock lock(mutex_);
  plan_.push_back({fault, 0});
  counts_of(fault.site).faults.fetch_add(1, std::memory_order_relaxed);
}

void FaultyKernel::heal() {
  MutexLock lock(mutex_);
  plan_.clear();
  for (Counts& counts : counts_) counts.faults.store(0, std::memory_order_relaxed);
}

FaultyKernel::Hit FaultyKernel::strike(Site site) {
  Counts& counts = counts_of(site);
  counts.calls.fetch_add(1, std::memory_order_relaxed);
  if (counts.faults.load(std::memory_order_relaxed) == 0) return {};
  MutexLock lock(mutex_);
  const Fault* met = nullptr;
  for (Planned& planned : plan_) {
    const Fault& fault = planned.fault;
    if (fault.site != site) continue;
    const uint64_t call = ++planned.seen;
    if (met == nullptr && call >= fault.first && call - fault.first < fault.times) met = &fault;
  }
  if (met == nullptr) return {};
  counts.injected.fetch_add(1, std::memory_order_relaxed);
  return {.error = met->error, .bytes_max = met->error == 0 ? met->bytes_max : 0};
}

template <class Call>
auto FaultyKernel::fail_or(Site site, Call call) -> decltype(call()) {
  const Hit hit = strike(site);
  return hit.error != 0 ? -hit.error : call();
}

int FaultyKernel::note_opened(int fd) {
  if (fd >= 0) opened_.fetch_add(1, std::memory_order_relaxed);
  return fd;
}

void FaultyKernel::note_registration(int epoll_fd, int operation, int fd, uint32_t events,
                                     void* data) {
  MutexLock lock(mutex_);
  if (operation != EPOLL_CTL_DEL && (events & EPOLLET)) {
    edges_[fd] = {epoll_fd, events, data};
  } else {
    edges_.erase(fd);
  }
}

// Modifying a registration makes epoll look again: if the descriptor is ready, that is a new edge.
void FaultyKernel::renew_edge(int fd) {
  Registration found{};
  {
    MutexLock lock(mutex_);
    const auto entry = edges_.find(fd);
    if (entry == edges_.end()) return;
    found = entry->second;
  }
  inner_.epoll_control(found.epoll_fd, EPOLL_CTL_MOD, fd, found.events, found.data);
}

int FaultyKernel::socket(int family, int type) {
  return note_opened(fail_or(Site::kSocket, [&] { return inner_.socket(family, type); }));
}

int FaultyKernel::bind(int fd, const SocketAddress& address) {
  return fail_or(Site::kBind, [&] { return inner_.bind(fd, address); });
}

int FaultyKernel::listen(int fd, int backlog) {
  return fail_or(Site::kListen, [&] { return inner_.listen(fd, backlog); });
}

int FaultyKernel::connect(int fd, const SocketAddress& address) {
  return fail_or(Site::kConnect, [&] { return inner_.connect(fd, address); });
}

int FaultyKernel::accept(int fd, SocketAddress& peer) {
  const Hit hit = strike(Site::kAccept);
  if (hit.error == 0) return note_opened(inner_.accept(fd, peer));
  if (hit.error == EAGAIN) renew_edge(fd);
  return -hit.error;
}

int FaultyKernel::set_option(int fd, int level, int name, int value) {
  return fail_or(Site::kSetOption, [&] { return inner_.set_option(fd, level, name, value); });
}

int FaultyKernel::set_text_option(int fd, int level, int name, std::string_view value) {
  return fail_or(Site::kSetOption, [&] { return inner_.set_text_option(fd, level, name, value); });
}

int FaultyKernel::get_option(int fd, int level, int name, int& value) {
  return fail_or(Site::kGetOption, [&] { return inner_.get_option(fd, level, name, value); });
}

int FaultyKernel::peer_credentials(int fd, Credentials& peer) {
  return fail_or(Site::kPeerCredentials, [&] { return inner_.peer_credentials(fd, peer); });
}

int FaultyKernel::inherit(int fd, bool non_blocking) {
  const int result = fail_or(Site::kInherit, [&] { return inner_.inherit(fd, non_blocking); });
  if (result == 0 && non_blocking) note_opened(fd);
  return result;
}

int FaultyKernel::set_mode(int fd, uint32_t mode) {
  return fail_or(Site::kSetMode, [&] { return inner_.set_mode(fd, mode); });
}

int FaultyKernel::file_status(const std::string& path, FileStatus& status) {
  return fail_or(Site::kFileStatus, [&] { return inner_.file_status(path, status); });
}

int FaultyKernel::remove_file(const std::string& path) {
  return fail_or(Site::kRemoveFile, [&] { return inner_.remove_file(path); });
}

int FaultyKernel::set_file_mode(const std::string& path, uint32_t mode) {
  return fail_or(Site::kSetFileMode, [&] { return inner_.set_file_mode(path, mode); });
}

int FaultyKernel::set_file_owner(const std::string& path, uint32_t user, uint32_t group) {
  return fail_or(Site::kSetFileOwner, [&] { return inner_.set_file_owner(path, user, group); });
}

int FaultyKernel::open_file(const std::string& path) {
  return note_opened(fail_or(Site::kOpenFile, [&] { return inner_.open_file(path); }));
}

int FaultyKernel::file_facts(int fd, FileFacts& facts) {
  return fail_or(Site::kFileFacts, [&] { return inner_.file_facts(fd, facts); });
}

ssize_t FaultyKernel::read_file(int fd, uint64_t offset, std::span<const iovec> into,
                                bool may_wait) {
  const Hit hit = strike(Site::kReadFile);
  if (hit.error != 0) return -hit.error;
  if (hit.bytes_max == 0) return inner_.read_file(fd, offset, into, may_wait);
  iovec piece = into[0];
  piece.iov_len = std::min(piece.iov_len, hit.bytes_max);
  return inner_.read_file(fd, offset, {&piece, 1}, may_wait);
}

ssize_t FaultyKernel::send_file(int socket, int fd, uint64_t offset, size_t bytes) {
  const Hit hit = strike(Site::kSendFile);
  if (hit.error == EAGAIN) renew_edge(socket);
  if (hit.error != 0) return -hit.error;
  return inner_.send_file(socket, fd, offset,
                          hit.bytes_max == 0 ? bytes : std::min(bytes, hit.bytes_max));
}

int FaultyKernel::break_off(int fd) {
  return fail_or(Site::kConnect, [&] { return inner_.break_off(fd); });
}

// A fault is the pending error of the socket.
int FaultyKernel::socket_error(int fd) {
  const Hit hit = strike(Site::kSocketError);
  return hit.error != 0 ? hit.error : inner_.socket_error(fd);
}

int FaultyKernel::local_address(int fd, SocketAddress& address) {
  return fail_or(Site::kLocalAddress, [&] { return inner_.local_address(fd, address); });
}

ssize_t FaultyKernel::receive(int fd, std::span<char> into) {
  const Hit hit = strike(Site::kReceive);
  if (hit.error != 0) {
    if (hit.error == EAGAIN) renew_edge(fd);
    return -hit.error;
  }
  if (hit.bytes_max == 0) return inner_.receive(fd, into);
  const ssize_t result = inner_.receive(fd, into.first(std::min(into.size(), hit.bytes_max)));
  if (result > 0) renew_edge(fd);
  return result;
}

ssize_t FaultyKernel::send(int fd, std::span<const iovec> from) {
  const Hit hit = strike(Site::kSend);
  if (hit.error != 0) {
    if (hit.error == EAGAIN) renew_edge(fd);
    return -hit.error;
  }
  if (hit.bytes_max == 0) return inner_.send(fd, from);
  for (iovec piece : from) {
    if (piece.iov_len == 0) continue;
    piece.iov_len = std::min(piece.iov_len, hit.bytes_max);
    return inner_.send(fd, std::span(&piece, 1));
  }
  return 0;
}

ssize_t FaultyKernel::bytes_readable(int fd) {
  return fail_or(Site::kBytesReadable, [&] { return inner_.bytes_readable(fd); });
}

ssize_t FaultyKernel::bytes_unsent(int fd) {
  return fail_or(Site::kBytesReadable, [&] { return inner_.bytes_unsent(fd); });
}

int64_t FaultyKernel::quiet_ms(int fd) {
  return fail_or(Site::kSocketError, [&] { return inner_.quiet_ms(fd); });
}

int FaultyKernel::shutdown(int fd, int how) {
  return fail_or(Site::kShutdown, [&] { return inner_.shutdown(fd, how); });
}

int FaultyKernel::close(int fd) {
  const Hit hit = strike(Site::kClose);
  {
    MutexLock lock(mutex_);
    edges_.erase(fd);
  }
  closed_.fetch_add(1, std::memory_order_relaxed);
  const int result = inner_.close(fd);
  return hit.error != 0 ? -hit.error : result;
}

int FaultyKernel::epoll_create() {
  return note_opened(fail_or(Site::kEpollCreate, [&] { return inner_.epoll_create(); }));
}

int FaultyKernel::epoll_control(int epoll_fd, int operation, int fd, uint32_t events, void* data) {
  const Hit hit = strike(site_of(operation));
  if (hit.error != 0) return -hit.error;
  const int result = inner_.epoll_control(epoll_fd, operation, fd, events, data);
  if (result == 0) note_registration(epoll_fd, operation, fd, events, data);
  return result;
}

int FaultyKernel::epoll_wait(int epoll_fd, std::span<epoll_event> into, int timeout_ms) {
  return fail_or(Site::kEpollWait, [&] { return inner_.epoll_wait(epoll_fd, into, timeout_ms); });
}

int FaultyKernel::poll(std::span<pollfd> set, int timeout_ms) {
  return fail_or(Site::kPoll, [&] { return inner_.poll(set, timeout_ms); });
}

int FaultyKernel::select(int end, fd_set& read, fd_set& write, int timeout_ms) {
  return fail_or(Site::kSelect, [&] { return inner_.select(end, read, write, timeout_ms); });
}

int FaultyKernel::event_create() {
  return note_opened(fail_or(Site::kEventCreate, [&] { return inner_.event_create(); }));
}

int FaultyKernel::event_signal(int fd) {
  const Hit hit = strike(Site::kEventSignal);
  if (hit.error != 0 && hit.error != EAGAIN) return -hit.error;
  const int result = inner_.event_signal(fd);
  return hit.error != 0 ? -hit.error : result;
}

int FaultyKernel::event_clear(int fd) {
  const Hit hit = strike(Site::kEventClear);
  if (hit.error != 0 && hit.error != EAGAIN) return -hit.error;
  const int result = inner_.event_clear(fd);
  return hit.error != 0 ? -hit.error : result;
}

int64_t FaultyKernel::raise_descriptor_limit() {
  return fail_or(Site::kRaiseDescriptorLimit, [&] { return inner_.raise_descriptor_limit(); });
}

}}  // namespace trireme
