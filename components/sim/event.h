// eventfd(2).
//
// Step: none, test support. Thread: any fiber of the world; no call contains a scheduling point.
#pragma once

#include <sys/epoll.h>

#include <cerrno>
#include <cstdint>

#include "sim/pollable.h"

namespace trireme { inline namespace v0 { namespace sim {

class Event final : public Pollable {
 public:
  int signal() {
    if (count_ == UINT64_MAX - 1) return -EAGAIN;
    ++count_;
    notify(EPOLLIN);  // an edge each time, also when it was signalled before
    return 0;
  }

  int clear() {
    if (count_ == 0) return -EAGAIN;
    count_ = 0;
    notify(EPOLLOUT);
    return 0;
  }

  uint32_t poll() override {
    uint32_t events = 0;
    if (count_ > 0) events |= EPOLLIN;
    if (count_ < UINT64_MAX - 1) events |= EPOLLOUT;
    return events;
  }
  void close_descriptor() override {}

 private:
  uint64_t count_ = 0;
};

}}}  // namespace trireme::sim
