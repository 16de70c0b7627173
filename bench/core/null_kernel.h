// A kernel that costs nothing: one client that always has the next messages ready and swallows what
// it is sent. What is measured above it is the library alone.
//
// Thread: any, as every Kernel. Descriptors are numbers; nothing of the operating system is touched
// but a condition variable, on which a loop sleeps that has nothing to do.
#pragma once

#include <array>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <string>
#include <string_view>

#include "runtime/system/kernel.h"

namespace bench {

class NullKernel final : public trireme::Kernel {
 public:
  // The client sends `message` as often as `requests` says, `depth` at a time, and then ends its
  // stream.
  NullKernel(uint64_t requests, uint64_t depth, std::string_view message);

  // Blocks until the server has closed the connection.
  void wait_closed();
  // Afterwards: CPU time of the process for all requests but the first eighth. (A loop may move.)
  double ns_per_request() const;
  uint64_t bytes_sent() const { return bytes_sent_; }

  int socket(int, int) override { return kListener; }
  int bind(int, const trireme::SocketAddress&) override { return 0; }
  int listen(int, int) override { return 0; }
  int connect(int, const trireme::SocketAddress&) override;
  int accept(int fd, trireme::SocketAddress& peer) override;
  int set_option(int, int, int, int) override { return 0; }
  int socket_error(int) override { return 0; }
  int local_address(int fd, trireme::SocketAddress& address) override;
  ssize_t receive(int fd, std::span<char> into) override;
  ssize_t send(int fd, std::span<const iovec> from) override;
  ssize_t bytes_readable(int) override { return 0; }
  ssize_t bytes_unsent(int) override { return 0; }
  int64_t quiet_ms(int) override { return -ENOSYS; }
  int shutdown(int, int) override { return 0; }
  int close(int fd) override;
  int epoll_create() override;
  int epoll_control(int epoll_fd, int operation, int fd, uint32_t events, void* data) override;
  int epoll_wait(int epoll_fd, std::span<epoll_event> into, int timeout_ms) override;
  // Of the other drivers, which are not measured here.
  int poll(std::span<pollfd>, int) override { return -ENOSYS; }
  int select(int, fd_set&, fd_set&, int) override { return -ENOSYS; }
  // Of unix and inherited sockets, likewise.
  int set_text_option(int, int, int, std::string_view) override { return -ENOSYS; }
  int get_option(int, int, int, int&) override { return -ENOSYS; }
  int peer_credentials(int, trireme::Credentials&) override { return -ENOSYS; }
  int inherit(int, bool) override { return -ENOSYS; }
  int set_mode(int, uint32_t) override { return -ENOSYS; }
  int file_status(const std::string&, trireme::FileStatus&) override { return -ENOSYS; }
  int remove_file(const std::string&) override { return -ENOSYS; }
  int set_file_mode(const std::string&, uint32_t) override { return -ENOSYS; }
  int set_file_owner(const std::string&, uint32_t, uint32_t) override { return -ENOSYS; }
  // Of files, likewise.
  int open_file(const std::string&) override { return -ENOSYS; }
  int file_facts(int, trireme::FileFacts&) override { return -ENOSYS; }
  ssize_t read_file(int, uint64_t, std::span<const iovec>, bool) override { return -ENOSYS; }
  ssize_t send_file(int, int, uint64_t, size_t) override { return -ENOSYS; }
  int break_off(int) override { return -ENOSYS; }
  int event_create() override;
  int event_signal(int fd) override;
  int event_clear(int fd) override;
  int64_t raise_descriptor_limit() override { return 1024; }

 private:
  static constexpr int kListener = 10, kClient = 11, kEpolls = 100, kEvents = 200;
  static constexpr size_t kSetsMax = 8;

  // A set of epoll: at most one of each. Only the thread that holds its loop touches it.
  struct Member {
    int fd = -1;
    uint32_t events = 0;
    void* data = nullptr;
  };
  struct Set {
    Member socket, event;
  };

  size_t ready(const Set& set, std::span<epoll_event> into);

  const uint64_t requests_, depth_;
  const size_t message_bytes_;
  const std::string burst_;
  uint64_t left_;
  uint64_t measured_ = 0;
  int64_t begin_ns_ = 0, end_ns_ = 0;
  uint64_t bytes_sent_ = 0;

  std::array<Set, kSetsMax> sets_;
  std::array<std::atomic<bool>, kSetsMax> signalled_{};
  std::atomic<int> sets_count_{0}, events_count_{0};
  std::atomic<bool> client_waits_{true};  // to be accepted
  std::mutex mutex_;
  std::condition_variable changed_;
  bool closed_ = false;
};

}  // namespace bench
