// poll(2): the set is an array of ours that the kernel copies and walks in every wait, so a wait
// costs what is watched, ready or not. A baseline, and for systems without epoll.
//
// Step: below steps 1, 2 and 6. Thread: the holder of the loop. Entry 0 is the wake-up descriptor;
// a channel knows its entry, so that to add, change and remove one costs the same however many
// there are.
#pragma once

#include <vector>

#include "runtime/drivers/poller.h"

namespace trireme { inline namespace v0 {

class PollPoller final : public Poller {
 public:
  explicit PollPoller(Kernel& kernel) : kernel_(kernel) {}

  std::string_view name() const override { return "poll"; }
  int open(int wake_fd) override;
  int add(Channel& channel, int fd, uint32_t events) override;
  int modify(Channel& channel, uint32_t events) override;
  void remove(Channel& channel) override;
  int wait(std::span<epoll_event> into, int timeout_ms) override;

 private:
  Kernel& kernel_;
  std::vector<pollfd> set_;
  std::vector<Channel*> channels_;  // of the same entries; null: the wake-up descriptor
  size_t first_ = 0;                // where the next wait begins to look
};

}}  // namespace trireme
