// What epoll can watch, and who is told when it changes.
//
// Step: none, test support. Thread: any fiber of the world, never across a scheduling point.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace trireme { inline namespace v0 { namespace sim {

// One entry of a wait queue.
class Watch {
 public:
  virtual ~Watch() = default;
  // `key` holds the EPOLL bits that may have become true; 0 stands for all of them.
  virtual void on_notify(uint32_t key) = 0;
  // The descriptor was closed: the watch has been taken off the list.
  virtual void on_descriptor_closed() = 0;
};

class Pollable {
 public:
  Pollable() = default;
  virtual ~Pollable() = default;
  Pollable(const Pollable&) = delete;
  Pollable& operator=(const Pollable&) = delete;

  // The EPOLL bits that hold now. Not const: asking a socket that is not writable is what makes
  // Linux announce later that it has become so.
  virtual uint32_t poll() = 0;
  // The last descriptor was closed.
  virtual void close_descriptor() = 0;

  void add_watch(Watch& watch) { watches_.push_back(&watch); }
  void remove_watch(Watch& watch) { std::erase(watches_, &watch); }
  void notify(uint32_t key) {
    for (Watch* watch : watches_) watch->on_notify(key);
  }
  void drop_watches() {
    while (!watches_.empty()) {
      Watch* watch = watches_.back();
      watches_.pop_back();
      watch->on_descriptor_closed();
    }
  }

 private:
  std::vector<Watch*> watches_;  // in the order of registration
};

}}}  // namespace trireme::sim
