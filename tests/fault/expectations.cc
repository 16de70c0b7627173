#include "fault/expectations.h"

#include <cerrno>
#include <cstring>
#include <string>

namespace fault {
namespace {

// EWOULDBLOCK is EAGAIN on Linux. EINTR of close(2) is left out: no Kernel returns it (kernel.h).
const std::vector<ManualPage> kPages = {
    {Site::kSocket,
     "socket(2)",
     {EACCES, EAFNOSUPPORT, EINVAL, EMFILE, ENFILE, ENOBUFS, ENOMEM, EPROTONOSUPPORT}},
    {Site::kBind,
     "bind(2)",
     {EACCES, EADDRINUSE, EBADF, EINVAL, ENOTSOCK, EADDRNOTAVAIL, EFAULT, ENOMEM}},
    {Site::kListen, "listen(2)", {EADDRINUSE, EBADF, ENOTSOCK, EOPNOTSUPP}},
    {Site::kConnect, "connect(2)", {ECONNREFUSED, EINTR, ENETUNREACH, ETIMEDOUT}},
    {Site::kAccept,
     "accept(2), with its network errors and those of Linux",
     {EAGAIN,      EBADF,  ECONNABORTED, EFAULT,          EINTR,           EINVAL,
      EMFILE,      ENFILE, ENOBUFS,      ENOMEM,          ENOTSOCK,        EOPNOTSUPP,
      EPERM,       EPROTO, ENETDOWN,     ENOPROTOOPT,     EHOSTDOWN,       ENONET,
      ENETUNREACH, ENOSR,  EHOSTUNREACH, ESOCKTNOSUPPORT, EPROTONOSUPPORT, ETIMEDOUT}},
    {Site::kSetOption, "setsockopt(2)", {EBADF, EFAULT, EINVAL, ENOPROTOOPT, ENOTSOCK, EDOM}},
    {Site::kSocketError,
     "getsockopt(2); SO_ERROR: tcp(7)",
     {EBADF, EFAULT, EINVAL, ENOPROTOOPT, ENOTSOCK, ECONNRESET, ETIMEDOUT, EPIPE}},
    {Site::kLocalAddress, "getsockname(2)", {EBADF, EFAULT, EINVAL, ENOBUFS, ENOTSOCK}},
    {Site::kReceive,
     "recv(2), and the errors of tcp(7)",
     {EAGAIN, EBADF, ECONNREFUSED, EFAULT, EINTR, EINVAL, ENOMEM, ENOTCONN, ENOTSOCK, ECONNRESET,
      ETIMEDOUT, EHOSTUNREACH}},
    {Site::kSend,
     "send(2), and the errors of tcp(7)",
     {EACCES, EAGAIN, EALREADY, EBADF, ECONNRESET, EDESTADDRREQ, EFAULT, EINTR, EINVAL, EISCONN,
      EMSGSIZE, ENOBUFS, ENOMEM, ENOTCONN, ENOTSOCK, EOPNOTSUPP, EPIPE, ETIMEDOUT}},
    {Site::kBytesReadable, "ioctl(2)", {EBADF, EFAULT, EINVAL, ENOTTY}},
    {Site::kShutdown, "shutdown(2)", {EBADF, EINVAL, ENOTCONN, ENOTSOCK}},
    {Site::kClose, "close(2)", {EBADF, EIO, ENOSPC, EDQUOT}},
    {Site::kEpollCreate, "epoll_create1(2)", {EINVAL, EMFILE, ENFILE, ENOMEM}},
    {Site::kEpollAdd,
     "epoll_ctl(2)",
     {EBADF, EEXIST, EINVAL, ELOOP, ENOENT, ENOMEM, ENOSPC, EPERM}},
    {Site::kEpollModify, "epoll_ctl(2)", {EBADF, EINVAL, ENOENT, ENOMEM, EPERM}},
    {Site::kEpollDelete, "epoll_ctl(2)", {EBADF, EINVAL, ENOENT, EPERM}},
    {Site::kEpollWait, "epoll_wait(2)", {EBADF, EFAULT, EINTR, EINVAL}},
    {Site::kPoll, "poll(2)", {EFAULT, EINTR, EINVAL, ENOMEM}},
    {Site::kSelect, "select(2)", {EBADF, EINTR, EINVAL, ENOMEM}},
    {Site::kEventCreate, "eventfd(2)", {EINVAL, EMFILE, ENFILE, ENODEV, ENOMEM}},
    {Site::kEventSignal, "eventfd(2), write(2)", {EAGAIN, EINTR, EINVAL}},
    {Site::kEventClear, "eventfd(2), read(2)", {EAGAIN, EINTR, EINVAL}},
    {Site::kRaiseDescriptorLimit, "getrlimit(2)", {EFAULT, EINVAL, EPERM}},
    {Site::kGetOption, "getsockopt(2)", {EBADF, EFAULT, EINVAL, ENOPROTOOPT, ENOTSOCK}},
    {Site::kPeerCredentials,
     "getsockopt(2), SO_PEERCRED",
     {EBADF, EFAULT, EINVAL, ENOPROTOOPT, ENOTSOCK}},
    {Site::kInherit, "fcntl(2)", {EACCES, EAGAIN, EBADF, EINVAL, EPERM}},
    {Site::kSetMode, "fchmod(2)", {EBADF, EIO, EPERM, EROFS}},
    {Site::kFileStatus, "lstat(2)", {EACCES, ELOOP, ENAMETOOLONG, ENOENT, ENOMEM, ENOTDIR}},
    {Site::kRemoveFile,
     "unlink(2)",
     {EACCES, EBUSY, EIO, ELOOP, ENAMETOOLONG, ENOENT, ENOMEM, ENOTDIR, EPERM, EROFS}},
    {Site::kSetFileMode, "chmod(2)", {EACCES, EIO, ELOOP, ENOENT, ENOMEM, EPERM, EROFS}},
    {Site::kSetFileOwner, "lchown(2)", {EACCES, EIO, ELOOP, ENOENT, ENOMEM, EPERM, EROFS}},
    {Site::kOpenFile,
     "open(2)",
     {EACCES, EINTR, EISDIR, ELOOP, EMFILE, ENAMETOOLONG, ENFILE, ENOENT, ENOMEM, ENOTDIR, ENXIO}},
    {Site::kFileFacts, "fstat(2)", {EBADF, EFAULT, ENOMEM, EOVERFLOW}},
    {Site::kReadFile,
     "preadv2(2), read(2)",
     {EAGAIN, EBADF, EFAULT, EINTR, EINVAL, EIO, EISDIR, EOPNOTSUPP}},
    {Site::kSendFile,
     "sendfile(2)",
     {EAGAIN, EBADF, EFAULT, EINVAL, EIO, ENOMEM, EOVERFLOW, ESPIPE, EPIPE, ECONNRESET}},
};

bool in(int error, std::initializer_list<int> errnos) {
  for (const int other : errnos) {
    if (other == error) return true;
  }
  return false;
}

}  // namespace

std::span<const ManualPage> manual_pages() { return kPages; }

// By site and errno, and never "whatever else": an errno that is added to a page above has no
// expectation until somebody writes it down.
Expectation expectation_in_traffic(Site site, int error) {
  switch (site) {
    case Site::kAccept:
      if (in(error, {EAGAIN, EINTR})) return {Expect::kDelays, false};
      return {Expect::kDelays};
    case Site::kReceive:
      if (in(error, {EAGAIN, EINTR})) return {Expect::kDelays, false};
      return {Expect::kEndsOne};
    case Site::kSend:
      if (error == EINTR) return {Expect::kDelays, false};
      if (error == EAGAIN) return {Expect::kDelays, false};
      if (in(error, {ENOBUFS, ENOMEM})) return {Expect::kDelays};
      return {Expect::kEndsOne};
    case Site::kSocketError:
      return {Expect::kEndsOne};  // it is asked only about a connection that hung up
    case Site::kEpollAdd:
      return {Expect::kEndsOne};
    case Site::kEpollModify:
      return {Expect::kDelays};
    case Site::kEpollWait:
    case Site::kPoll:
    case Site::kSelect:
      if (in(error, {EINTR, ENOMEM})) return {Expect::kDelays, false};
      if (in(error, {EBADF, EFAULT, EINVAL})) return {Expect::kAborts};
      return {};
    case Site::kEventSignal:
      if (error == EAGAIN) return {Expect::kInvisible};
      return {Expect::kDelays, false};
    case Site::kEventClear:
      if (error == EAGAIN) return {Expect::kInvisible};
      return {Expect::kInvisible, false};
    case Site::kShutdown:
    case Site::kClose:
    case Site::kEpollDelete:
    case Site::kBytesReadable:
    case Site::kPeerCredentials:
      return {Expect::kInvisible};
    case Site::kConnect:
    case Site::kOpenFile:  // of handlers that answer with files: file_cells_test.cc
    case Site::kFileFacts:
    case Site::kReadFile:
    case Site::kSendFile:
      return {Expect::kNotOnPath};
    default:
      return {};
  }
}

Expectation expectation_at_start(Site site, int error) {
  switch (site) {
    case Site::kSocket:
    case Site::kBind:
    case Site::kListen:
    case Site::kLocalAddress:
    case Site::kEpollCreate:
    case Site::kEpollAdd:
    case Site::kEventCreate:
    case Site::kGetOption:
    case Site::kInherit:
    case Site::kSetMode:
    case Site::kFileStatus:
    case Site::kRemoveFile:
    case Site::kSetFileMode:
    case Site::kSetFileOwner:
      return {Expect::kStartFails};
    case Site::kSetOption:
      return {Expect::kInvisible};  // all of them make things better, none is needed
    case Site::kRaiseDescriptorLimit:
      return {Expect::kInvisible};  // it goes on with the fewest connections that make sense
    default:
      (void)error;
      return {};
  }
}

std::vector<Cell> cells_of(Site site, std::span<const uint64_t> positions) {
  std::vector<Cell> cells;
  for (const ManualPage& page : kPages) {
    if (page.site != site) continue;
    for (const int error : page.errnos) {
      for (const uint64_t first : positions) {
        for (const uint64_t times : {uint64_t{1}, uint64_t{3}, kForEver}) {
          cells.push_back({site, error, first, times});
        }
      }
    }
  }
  return cells;
}

std::string describe(const Cell& cell) {
  return std::string(trireme::FaultyKernel::name_of(cell.site)) + " " +
         ::strerrorname_np(cell.error) + " from call " + std::to_string(cell.first) + ", " +
         (cell.times == kForEver ? std::string("for ever") : std::to_string(cell.times) + " times");
}

}  // namespace fault
