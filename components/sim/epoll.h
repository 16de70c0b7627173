// epoll with Linux's rules: a ready list in the order of arrival, level- and edge-triggered.
//
// Step: none, test support. Thread: any fiber of the world; only wait() contains scheduling points.
//
// 1. A notification whose key has a bit of the registration puts it at the end of the ready list.
// 2. A wait goes through the list from its head, asks each for what holds now, reports what is
//    wanted, and puts level-triggered ones that had something back at the end.
// 3. ADD and MOD ask at once, so that MOD re-arms an edge. ERR and HUP are always wanted.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "runtime/system/kernel.h"
#include "sim/pollable.h"
#include "sim/scheduler.h"

namespace trireme { inline namespace v0 { namespace sim {

class Epoll final : public Pollable {
 public:
  explicit Epoll(Scheduler& scheduler) : scheduler_(scheduler) {}
  ~Epoll() override;

  // `target` is the open object behind `fd`; it outlives the registration, which ends at its close.
  int control(int operation, int fd, Pollable& target, uint32_t events, void* data);
  // Returns the number of events. Blocks in virtual time while there are none.
  int wait(std::span<epoll_event> into, TimePoint until, int epoll_fd);

  uint32_t poll() override;
  void close_descriptor() override;

 private:
  class Registration final : public Watch {
   public:
    Registration(Epoll& owner, int number, Pollable& watched)
        : epoll(owner), fd(number), target(watched) {}
    void on_notify(uint32_t key) override;
    void on_descriptor_closed() override;

    Epoll& epoll;
    const int fd;
    Pollable& target;
    uint32_t events = 0;
    void* data = nullptr;
    bool is_ready = false;
    std::list<Registration*>::iterator place;  // in the ready list, while is_ready
  };

  void make_ready(Registration& registration);
  void leave_ready(Registration& registration);
  int collect(std::span<epoll_event> into);

  Scheduler& scheduler_;
  std::map<int, std::unique_ptr<Registration>> registrations_;
  std::list<Registration*> ready_;
  std::vector<Fiber*> waiting_;  // the first one is woken
};

}}}  // namespace trireme::sim
