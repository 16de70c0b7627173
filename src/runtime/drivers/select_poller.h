// select(2): two sets of 1,024 bits, indexed by descriptor, copied and walked in every wait. The
// oldest baseline.
//
// Step: below steps 1, 2 and 6. Thread: the holder of the loop.
//
// What it cannot do: watch a descriptor of 1,024 or more, which `add` refuses with -ERANGE; and
// tell an error or a hang-up of a channel that waits for nothing. Such a channel tells it when it
// is read or written again.
#pragma once

#include <sys/select.h>

#include <array>

#include "runtime/drivers/poller.h"

namespace trireme { inline namespace v0 {

class SelectPoller final : public Poller {
 public:
  static constexpr int kDescriptorsMax = FD_SETSIZE;

  explicit SelectPoller(Kernel& kernel);

  std::string_view name() const override { return "select"; }
  int open(int wake_fd) override;
  int add(Channel& channel, int fd, uint32_t events) override;
  int modify(Channel& channel, uint32_t events) override;
  void remove(Channel& channel) override;
  int wait(std::span<epoll_event> into, int timeout_ms) override;

 private:
  void set_bits(int fd, uint32_t events);

  Kernel& kernel_;
  fd_set read_, write_;
  std::array<Channel*, kDescriptorsMax> channels_{};  // by descriptor
  int wake_fd_ = -1;
  int end_ = 0;    // one more than the highest descriptor that is watched, or was
  int first_ = 0;  // where the next wait begins to look
};

}}  // namespace trireme
