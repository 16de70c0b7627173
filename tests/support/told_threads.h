// Real threads whose CPU clocks, and the number of CPUs, are what the test says.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "runtime/threads/threads.h"

namespace support {

class ToldThreads final : public trireme::Threads {
 public:
  // Any thread. Whether every thread computes all the time, or none ever does.
  std::atomic<bool> all_compute{false};
  int cpus = 1;

  std::unique_ptr<trireme::Thread> start(std::string_view name, std::function<void()> body,
                                         int& error) override {
    return real_.start(name, std::move(body), error);
  }
  bool park(trireme::ParkSpot& spot, trireme::TimePoint until) override {
    return real_.park(spot, until);
  }
  void unpark(trireme::ParkSpot& spot) override { real_.unpark(spot); }
  bool try_park(trireme::ParkSpot& spot) override { return real_.try_park(spot); }
  void sleep_until(trireme::TimePoint until) override { real_.sleep_until(until); }
  void relax() override { real_.relax(); }
  void set_name(std::string_view name) override { real_.set_name(name); }
  void wait_its_turn() override { real_.wait_its_turn(); }
  uint64_t current_id() override { return real_.current_id(); }
  int allowed_cpus() override { return cpus; }
  trireme::Duration cpu_time(uint64_t) override {
    return all_compute ? trireme::real_platform().clock.now().time_since_epoch()
                       : trireme::Duration(0);
  }

 private:
  trireme::Threads& real_ = trireme::real_platform().threads;
};

}  // namespace support
