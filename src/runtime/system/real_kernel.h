// The kernel of this machine.
//
// Step: below all steps. Thread: any; the object has no state (what forks must know is in
// real_fork.h). What is not a matter of sockets and descriptors is in
// real_files.cc.
#pragma once

#include "runtime/system/kernel.h"

namespace trireme { inline namespace v0 {

class RealKernel final : public Kernel {
 public:
  RealKernel();
  int socket(int family, int type) override;
  int bind(int fd, const SocketAddress& address) override;
  int listen(int fd, int backlog) override;
  int connect(int fd, const SocketAddress& address) override;
  int accept(int fd, SocketAddress& peer) override;
  int set_option(int fd, int level, int name, int value) override;
  int set_text_option(int fd, int level, int name, std::string_view value) override;
  int get_option(int fd, int level, int name, int& value) override;
  int peer_credentials(int fd, Credentials& peer) override;
  int socket_error(int fd) override;
  int local_address(int fd, SocketAddress& address) override;
  ssize_t receive(int fd, std::span<char> into) override;
  ssize_t send(int fd, std::span<const iovec> from) override;
  ssize_t bytes_readable(int fd) override;
  ssize_t bytes_unsent(int fd) override;
  int64_t quiet_ms(int fd) override;
  int shutdown(int fd, int how) override;
  int break_off(int fd) override;
  int close(int fd) override;
  int epoll_create() override;
  int epoll_control(int epoll_fd, int operation, int fd, uint32_t events, void* data) override;
  int epoll_wait(int epoll_fd, std::span<epoll_event> into, int timeout_ms) override;
  int poll(std::span<pollfd> set, int timeout_ms) override;
  int select(int end, fd_set& read, fd_set& write, int timeout_ms) override;
  int event_create() override;
  int event_signal(int fd) override;
  int event_clear(int fd) override;
  int64_t raise_descriptor_limit() override;
  void fill_standard_descriptors() override;
  bool has_forked() const override;
  int inherit(int fd, bool non_blocking) override;
  int set_mode(int fd, uint32_t mode) override;
  int file_status(const std::string& path, FileStatus& status) override;
  int remove_file(const std::string& path) override;
  int set_file_mode(const std::string& path, uint32_t mode) override;
  int set_file_owner(const std::string& path, uint32_t user, uint32_t group) override;
  int64_t user_id(const std::string& name) override;
  int64_t group_id(const std::string& name) override;
  int open_spool(const char* directory, bool& is_in_memory) override;
  ssize_t write_at(int fd, std::string_view bytes, uint64_t offset) override;
  int open_file(const std::string& path) override;
  int file_facts(int fd, FileFacts& facts) override;
  ssize_t read_file(int fd, uint64_t offset, std::span<const iovec> into, bool may_wait) override;
  ssize_t send_file(int socket, int fd, uint64_t offset, size_t bytes) override;
  std::string environment(const char* name) override;
  int process_id() override;
  int interface_index(const char* name) override;
  int64_t memory_limit() override;
};

}}  // namespace trireme
