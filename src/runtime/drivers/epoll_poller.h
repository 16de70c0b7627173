// epoll, level-triggered or edge-triggered: the kernel keeps the set, a wait costs what is ready.
//
// Step: below steps 1, 2 and 6. Thread: the holder of the loop.
#pragma once

#include "runtime/drivers/poller.h"

namespace trireme { inline namespace v0 {

class EpollPoller final : public Poller {
 public:
  EpollPoller(Kernel& kernel, bool edge_triggered)
      : kernel_(kernel), edge_triggered_(edge_triggered) {}
  ~EpollPoller() override;

  std::string_view name() const override { return edge_triggered_ ? "epoll-et" : "epoll"; }
  bool edge_triggered() const override { return edge_triggered_; }
  // Each write to an eventfd is an edge, so nothing needs to be read from it: its counter would
  // take centuries to fill.
  bool tells_signals_once() const override { return true; }
  int open(int wake_fd) override;
  int add(Channel& channel, int fd, uint32_t events) override;
  int modify(Channel& channel, uint32_t events) override;
  void remove(Channel& channel) override;
  int wait(std::span<epoll_event> into, int timeout_ms) override;

 private:
  Kernel& kernel_;
  const bool edge_triggered_;
  int epoll_fd_ = -1;
};

}}  // namespace trireme
