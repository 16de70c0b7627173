// The seam to the operating system: every system call of the data path is one virtual function
// here.
//
// Step: below all steps. Thread: any; an implementation must be safe for concurrent calls on
// different descriptors, exactly as the kernel is. Three implementations exist: `RealKernel`
// (real_kernel.cc; with real_calls.h the only file of the library that may call the kernel),
// `FaultyKernel` (a decorator that fails chosen calls) and the simulated kernel of components/sim.
//
// Convention: a result of zero or more is success, a negative one is `-errno`. `errno` itself is
// never used, so a simulated kernel needs no thread-local state. No implementation may return
// -EINTR from `close`.
#pragma once

#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace trireme { inline namespace v0 {

// A socket address of any family, by value.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;  // bytes of `storage` in use; 0: no address
};

// The process at the other end of a unix socket, as it was when it connected.
struct Credentials {
  int32_t pid = 0;  // 0: of another PID namespace
  uint32_t uid = 0;
  uint32_t gid = 0;
};

// What a path names; a symbolic link is not followed.
struct FileStatus {
  uint64_t device = 0;
  uint64_t inode = 0;  // with `device`: the same file, as long as it exists
  uint32_t mode = 0;   // permissions alone
  bool is_socket = false;
};

// What a descriptor of a file leads to.
struct FileFacts {
  uint64_t bytes = 0;
  int64_t modified_ns = 0;  // since 1970
  uint64_t device = 0;
  uint64_t inode = 0;
  bool is_regular = false;
  bool is_folder = false;
};

class Kernel {
 public:
  virtual ~Kernel() = default;
  // True: the calls of real_calls.h are what `receive` and `send` do.
  bool is_real() const { return is_real_; }

  // socket(2), always with SOCK_NONBLOCK | SOCK_CLOEXEC added.
  virtual int socket(int family, int type) = 0;
  virtual int bind(int fd, const SocketAddress& address) = 0;
  virtual int listen(int fd, int backlog) = 0;
  virtual int connect(int fd, const SocketAddress& address) = 0;
  // accept4(2) with SOCK_NONBLOCK | SOCK_CLOEXEC. The peer's address comes from here, never from
  // getpeername: a client that reset while it waited has none any more.
  virtual int accept(int fd, SocketAddress& peer) = 0;
  virtual int set_option(int fd, int level, int name, int value) = 0;
  virtual int set_text_option(int fd, int level, int name, std::string_view value) = 0;
  virtual int get_option(int fd, int level, int name, int& value) = 0;
  virtual int peer_credentials(int fd, Credentials& peer) = 0;  // SO_PEERCRED
  virtual int socket_error(int fd) = 0;  // SO_ERROR: 0 or the pending errno as a positive number
  virtual int local_address(int fd, SocketAddress& address) = 0;

  virtual ssize_t receive(int fd, std::span<char> into) = 0;      // recv(2)
  virtual ssize_t send(int fd, std::span<const iovec> from) = 0;  // sendmsg(2) with MSG_NOSIGNAL
  virtual ssize_t bytes_readable(int fd) = 0;  // SIOCINQ: bytes that have arrived unread
  // SIOCOUTQ: bytes that the peer has not confirmed. 0 of a unix socket, where that counts what the
  // peer has not read: it can still do so when this end is closed.
  virtual ssize_t bytes_unsent(int fd) = 0;
  // TCP_INFO: for how many milliseconds, at least, no byte has come or gone for the first time.
  virtual int64_t quiet_ms(int fd) = 0;
  virtual int shutdown(int fd, int how) = 0;
  // connect(2) to nobody: the peer gets a RST, now or with `close` at the latest, whatever has not
  // left is dropped. Not lingering: a child's copy of the socket must not put it off.
  virtual int break_off(int fd) = 0;
  virtual int close(int fd) = 0;

  virtual int epoll_create() = 0;  // EPOLL_CLOEXEC
  virtual int epoll_control(int epoll_fd, int operation, int fd, uint32_t events, void* data) = 0;
  // `timeout_ms` as in epoll_wait(2): -1 waits for ever.
  virtual int epoll_wait(int epoll_fd, std::span<epoll_event> into, int timeout_ms) = 0;

  // poll(2), `timeout_ms` as in epoll_wait.
  virtual int poll(std::span<pollfd> set, int timeout_ms) = 0;
  // select(2) of the descriptors below `end`; both sets are changed, and undefined after a failure.
  virtual int select(int end, fd_set& read, fd_set& write, int timeout_ms) = 0;

  virtual int event_create() = 0;        // eventfd(2), EFD_NONBLOCK | EFD_CLOEXEC
  virtual int event_signal(int fd) = 0;  // adds 1; -EAGAIN means that it is already signalled
  virtual int event_clear(int fd) = 0;   // sets it back to 0

  // Raises the soft descriptor limit to the hard one. Returns the limit that holds now.
  virtual int64_t raise_descriptor_limit() = 0;
  // Fills those of the standard descriptors 0 to 2 that are closed: else the next one that is
  // opened would be what everybody takes for standard input, output or error.
  virtual void fill_standard_descriptors() {}

  // An inherited descriptor: FD_CLOEXEC from now on, and with `non_blocking` O_NONBLOCK, as
  // `socket` does at once.
  virtual int inherit(int fd, bool non_blocking) = 0;
  virtual int set_mode(int fd,
                       uint32_t mode) = 0;  // fchmod(2): before bind, of the file to be made
  virtual int file_status(const std::string& path, FileStatus& status) = 0;  // lstat(2)
  virtual int remove_file(const std::string& path) = 0;                      // unlink(2)
  // Of what the path names, never of what a symbolic link there leads to.
  virtual int set_file_mode(const std::string& path, uint32_t mode) = 0;
  // UINT32_MAX: as it is.
  virtual int set_file_owner(const std::string& path, uint32_t user, uint32_t group) = 0;
  // The number of a user or a group, by its name; or -errno. May read files, and block.
  virtual int64_t user_id(const std::string&) { return -ENOENT; }
  virtual int64_t group_id(const std::string&) { return -ENOENT; }

  // Temporary files, for threads that may block. A file without a name in `directory`, to be read
  // and written; or -errno. `is_in_memory`: it is on no disk (tmpfs).
  virtual int open_spool(const char* /*directory*/, bool& /*is_in_memory*/) { return -ENOSYS; }
  virtual ssize_t write_at(int, std::string_view, uint64_t /*offset*/) { return -ENOSYS; }
  // open(2) for reading. Never waits for a writer, as of a pipe.
  virtual int open_file(const std::string& path) = 0;
  virtual int file_facts(int fd, FileFacts& facts) = 0;  // fstat(2)
  // preadv2(2). Without `may_wait`: -EAGAIN if not one byte is in memory, -EOPNOTSUPP if the file
  // system cannot tell. 0: the file ends there.
  virtual ssize_t read_file(int fd, uint64_t offset, std::span<const iovec> into,
                            bool may_wait) = 0;
  // sendfile(2). 0: the file ends there. May wait for what is not in memory.
  virtual ssize_t send_file(int socket, int fd, uint64_t offset, size_t bytes) = 0;

  // getenv(3); empty: it is not set, or empty.
  virtual std::string environment(const char*) { return {}; }
  virtual int process_id() { return 0; }

  // if_nametoindex(3): more than 0, or -errno.
  virtual int interface_index(const char*) { return -ENODEV; }

  // True: this process has forked, so a child may hold copies of its descriptors.
  virtual bool has_forked() const { return false; }
  // Closes a socket, as `close` does. Its other side, or whoever would connect to it, must not have
  // to wait for a child's copy of it to be closed, too: so where there may be one, the socket ends
  // before. A call more only then. `is_shared`: other processes have it by right, and go on.
  int close_socket(int fd, bool is_shared = false) {
    if (!is_shared && has_forked()) shutdown(fd, SHUT_RDWR);
    return close(fd);
  }

  // Bytes that this process may use, by its control groups and resource limits. 0: as many as there
  // are. Reads files.
  virtual int64_t memory_limit() { return 0; }

 protected:
  explicit Kernel(bool is_real = false) : is_real_(is_real) {}

 private:
  const bool is_real_;
};

}}  // namespace trireme
