// The simulated kernel: descriptors of one process over a network that several may share.
//
// Step: below all steps. Thread: any fiber of the world, one at a time by construction.
//
// It knows stream sockets - IPv4 and IPv6 on loopback addresses, and unix - epoll, poll, select and
// eventfd. What a correct program never does aborts with a sentence instead of an errno: an unknown
// or closed descriptor, a descriptor of the wrong kind.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/system/kernel.h"
#include "runtime/system/random.h"
#include "sim/faults.h"
#include "sim/network.h"
#include "sim/scheduler.h"

namespace trireme { inline namespace v0 { namespace sim {

class Epoll;
class Event;
class File;
class StreamSocket;

class SimKernel final : public Kernel {
 public:
  struct Settings {
    int descriptors_max = 1'024;  // EMFILE from this number on; 0, 1 and 2 are always open
    bool has_ipv6 = true;
    uint64_t seed = 0;
  };

  // Both references outlive the kernel.
  SimKernel(Network& network, const Faults& faults, const Settings& settings);
  ~SimKernel() override;

  int socket(int family, int type) override;
  int bind(int fd, const SocketAddress& address) override;
  int listen(int fd, int backlog) override;
  int connect(int fd, const SocketAddress& address) override;
  int accept(int fd, SocketAddress& peer) override;
  int set_option(int fd, int level, int name, int value) override;
  int set_text_option(int fd, int level, int name, std::string_view value) override;
  int get_option(int fd, int level, int name, int& value) override;
  int peer_credentials(int fd, Credentials& peer) override;
  int inherit(int fd, bool non_blocking) override;
  int set_mode(int fd, uint32_t mode) override;
  int file_status(const std::string& path, FileStatus& status) override;
  int remove_file(const std::string& path) override;
  int set_file_mode(const std::string& path, uint32_t mode) override;
  int set_file_owner(const std::string& path, uint32_t user, uint32_t group) override;
  int socket_error(int fd) override;
  int local_address(int fd, SocketAddress& address) override;
  ssize_t receive(int fd, std::span<char> into) override;
  ssize_t send(int fd, std::span<const iovec> from) override;
  ssize_t bytes_readable(int fd) override;
  ssize_t bytes_unsent(int fd) override;
  int64_t quiet_ms(int fd) override;
  int shutdown(int fd, int how) override;
  int break_off(int fd) override;
  int open_file(const std::string& path) override;
  int file_facts(int fd, FileFacts& facts) override;
  ssize_t read_file(int fd, uint64_t offset, std::span<const iovec> into, bool may_wait) override;
  ssize_t send_file(int socket, int fd, uint64_t offset, size_t bytes) override;
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

  // Any fiber. SO_LINGER with time 0 and close(2) in one: the peer gets a RST.
  int reset(int fd);
  // Any fiber. Open descriptors without 0, 1 and 2: at the end of a test there should be none.
  int open_count() const { return open_count_; }
  // Any fiber. From now on that many descriptors are allowed; open ones stay.
  void set_descriptors_max(int descriptors_max) { descriptors_max_ = descriptors_max; }

 private:
  template <typename Body>
  auto call(Call name, int64_t first, int64_t second, Body body);

  struct WantedEvents {
    int fd;
    uint32_t events;  // bits of epoll
  };
  template <typename Ready>
  int wait_for_set(const std::vector<WantedEvents>& wanted, int timeout_ms, const char* call,
                   Ready ready);

  template <typename Body>
  int with_file(Call name, const std::string& path, int64_t argument, Body body);
  int lowest_free() const;
  int open(std::shared_ptr<Pollable> object);
  int release(int fd, const char* call);
  std::shared_ptr<Pollable> object_of(int fd, const char* call) const;
  std::shared_ptr<StreamSocket> socket_of(int fd, const char* call) const;
  std::shared_ptr<Epoll> epoll_of(int fd, const char* call) const;
  std::shared_ptr<File> file_of(int fd, const char* call) const;
  std::shared_ptr<Event> event_of(int fd, const char* call) const;
  bool happens(FaultKind kind, uint32_t chance) {
    return chance != 0 && random_.chance(chance, 10'000) && scheduler_.lets(kind);
  }
  int accept_fault();

  Network& network_;
  Scheduler& scheduler_;
  const Faults& faults_;
  const bool has_ipv6_;
  int descriptors_max_;
  Random random_;
  // Owners of an object: its descriptor, and the call that is using it. Index: the descriptor.
  std::vector<std::shared_ptr<Pollable>> objects_;
  std::set<int> free_;  // closed numbers below objects_.size()
  int open_count_ = 0;
};

// A fiber is allowed to switch before and after the effect of each call, never in its midst.
template <typename Body>
auto SimKernel::call(Call name, int64_t first, int64_t second, Body body) {
  scheduler_.point();
  const auto result = body();
  scheduler_.record(name, first, second, result);
  scheduler_.point_after();
  return result;
}

}}}  // namespace trireme::sim
