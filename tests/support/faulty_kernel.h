// A kernel that fails on request: a decorator over any `Kernel` that makes chosen calls return an
// errno, or move fewer bytes than were asked for. For tests of Trireme and for tests of what is
// built on it.
//
// Step: below all steps. Thread: any; a fault may be planned and healed while the server runs.
//
//   FaultyKernel kernel(real_platform().kernel);
//   const Platform platform{kernel, real_platform().clock, real_platform().threads};
//   Server server(options, platform);
//   ...
//   kernel.plan({.site = FaultyKernel::Site::kAccept,
//                .error = EMFILE,
//                .first = 2,
//                .times = FaultyKernel::kForEver});
//   ...
//   kernel.heal();
//
// Each function of `Kernel` is one call site (epoll_control is three), and the class lists them, so
// that a matrix of faults can be generated and a call that is new to `Kernel` cannot go untested.
//
// A fault never shows what a real kernel cannot do:
// 1. close: the descriptor is closed, and then the error is returned. EINTR is refused (kernel.h).
// 2. event_signal and event_clear with EAGAIN: the call is made, for EAGAIN says that the counter
//    is full or empty.
// 3. receive, send and accept with EAGAIN, and a short receive: an edge-triggered registration
//    gets a new edge, which the kernel owes to whoever was told that there is nothing more.
// All other failed calls do nothing.
#pragma once

#include <array>
#include <atomic>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "runtime/system/kernel.h"
#include "runtime/threads/annotations.h"
#include "runtime/threads/mutex.h"

namespace trireme { inline namespace v0 {

class FaultyKernel final : public Kernel {
 public:
  enum class Site : uint8_t {
    kSocket,
    kBind,
    kListen,
    kConnect,
    kAccept,
    kSetOption,
    kSocketError,
    kLocalAddress,
    kReceive,
    kSend,
    kBytesReadable,
    kShutdown,
    kClose,
    kEpollCreate,
    kEpollAdd,
    kEpollModify,
    kEpollDelete,
    kEpollWait,
    kPoll,
    kSelect,
    kEventCreate,
    kEventSignal,
    kEventClear,
    kRaiseDescriptorLimit,
    kGetOption,
    kPeerCredentials,
    kInherit,
    kSetMode,
    kFileStatus,
    kRemoveFile,
    kSetFileMode,
    kSetFileOwner,
    kOpenFile,
    kFileFacts,
    kReadFile,
    kSendFile,
  };
  static constexpr size_t kSiteCount = static_cast<size_t>(Site::kSendFile) + 1;
  static constexpr uint64_t kForEver = UINT64_MAX;

  struct Fault {
    Site site;
    int error = 0;         // errno; 0: the call is made, with at most `bytes_max` bytes
    size_t bytes_max = 1;  // kReceive, kSend, kReadFile and kSendFile only; at least 1
    uint64_t first = 1;    // 1: the next call of the site, 2: the one after it
    uint64_t times = 1;    // consecutive calls; kForEver: until heal()
  };

  // `inner` must outlive this object.
  explicit FaultyKernel(Kernel& inner) : inner_(inner) {}

  // Any thread. Adds a fault; calls are counted from here on. Of several that meet one call the
  // oldest wins.
  void plan(const Fault& fault);
  // Any thread. Forgets all faults: from the next call on nothing fails.
  void heal();

  // Any thread. Calls of a site since construction, failed ones included, and those that a fault
  // has met.
  uint64_t calls(Site site) const { return counts_of(site).calls.load(std::memory_order_relaxed); }
  uint64_t injected(Site site) const {
    return counts_of(site).injected.load(std::memory_order_relaxed);
  }
  // Any thread. Descriptors that socket, accept, epoll_create, event_create and open_file gave out,
  // or that were inherited, and closes.
  uint64_t descriptors_opened() const { return opened_.load(std::memory_order_relaxed); }
  uint64_t descriptors_closed() const { return closed_.load(std::memory_order_relaxed); }

  // Any thread. All call sites, and their names: "accept", "epoll_control(ADD)".
  static std::span<const Site> sites();
  static std::string_view name_of(Site site);

  int socket(int family, int type) override;
  int bind(int fd, const SocketAddress& address) override;
  int listen(int fd, int backlog) override;
  int connect(int fd, const SocketAddress& address) override;
  int accept(int fd, SocketAddress& peer) override;
  int set_option(int fd, int level, int name, int value) override;
  // Of kSetOption: it is the same setsockopt(2).
  int set_text_option(int fd, int level, int name, std::string_view value) override;
  int get_option(int fd, int level, int name, int& value) override;
  int peer_credentials(int fd, Credentials& peer) override;
  int inherit(int fd, bool non_blocking) override;  // opens, for the books, what is to be used
  int set_mode(int fd, uint32_t mode) override;
  int file_status(const std::string& path, FileStatus& status) override;
  int remove_file(const std::string& path) override;
  int set_file_mode(const std::string& path, uint32_t mode) override;
  int set_file_owner(const std::string& path, uint32_t user, uint32_t group) override;
  int open_spool(const char* directory, bool& is_in_memory) override {
    return inner_.open_spool(directory, is_in_memory);
  }
  ssize_t write_at(int fd, std::string_view bytes, uint64_t offset) override {
    return inner_.write_at(fd, bytes, offset);
  }
  int open_file(const std::string& path) override;
  int file_facts(int fd, FileFacts& facts) override;
  ssize_t read_file(int fd, uint64_t offset, std::span<const iovec> into, bool may_wait) override;
  ssize_t send_file(int socket, int fd, uint64_t offset, size_t bytes) override;
  int64_t user_id(const std::string& name) override { return inner_.user_id(name); }
  int64_t group_id(const std::string& name) override { return inner_.group_id(name); }
  std::string environment(const char* name) override { return inner_.environment(name); }
  int process_id() override { return inner_.process_id(); }
  int socket_error(int fd) override;
  int local_address(int fd, SocketAddress& address) override;
  ssize_t receive(int fd, std::span<char> into) override;
  ssize_t send(int fd, std::span<const iovec> from) override;
  ssize_t bytes_readable(int fd) override;
  ssize_t bytes_unsent(int fd) override;  // the same site: it is the same ioctl(2)
  int64_t quiet_ms(int fd) override;      // of kSocketError: it is the same getsockopt(2)
  int shutdown(int fd, int how) override;
  int break_off(int fd) override;  // of kConnect: it is the same connect(2)
  int close(int fd) override;
  int epoll_create() override;
  int epoll_control(int epoll_fd, int operation, int fd, uint32_t events, void* data) override;
  int epoll_wait(int epoll_fd, std::span<epoll_event> into, int timeout_ms) override;
  int poll(std::span<pollfd> set, int timeout_ms) override;
  int select(int end, fd_set& read, fd_set& write, int timeout_ms) override;
  int event_create() override;
  int event_signal(int fd) override;
  int event_clear(int fd) override;
  int64_t memory_limit() override { return inner_.memory_limit(); }
  int64_t raise_descriptor_limit() override;
  void fill_standard_descriptors() override { inner_.fill_standard_descriptors(); }
  int interface_index(const char* name) override { return inner_.interface_index(name); }
  bool has_forked() const override { return inner_.has_forked(); }

 private:
  // relaxed, all of them: counts publish nothing.
  struct Counts {
    std::atomic<uint64_t> calls{0}, injected{0};
    std::atomic<uint32_t> faults{0};  // planned for this site: without any, a call takes no lock
  };
  struct Planned {
    Fault fault;
    uint64_t seen = 0;  // calls of its site since it was planned
  };
  struct Hit {
    int error = 0;
    size_t bytes_max = 0;  // 0: not cut
  };
  struct Registration {
    int epoll_fd;
    uint32_t events;
    void* data;
  };

  const Counts& counts_of(Site site) const { return counts_[static_cast<size_t>(site)]; }
  Counts& counts_of(Site site) { return counts_[static_cast<size_t>(site)]; }
  // Counts a call, and says what is to happen to it.
  Hit strike(Site site);
  template <class Call>
  auto fail_or(Site site, Call call) -> decltype(call());
  int note_opened(int fd);
  void note_registration(int epoll_fd, int operation, int fd, uint32_t events, void* data);
  void renew_edge(int fd);

  Kernel& inner_;
  std::array<Counts, kSiteCount> counts_;
  std::atomic<uint64_t> opened_{0}, closed_{0};
  Mutex mutex_;  // never held during a call of `inner_`
  std::vector<Planned> plan_ GUARDED_BY(mutex_);
  std::unordered_map<int, Registration> edges_
      GUARDED_BY(mutex_);  // by descriptor: registered with EPOLLET
};

}}  // namespace trireme
