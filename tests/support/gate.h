// A gate that handlers wait at until the test opens it.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <utility>

namespace support {

// Copyable handle, any thread. Open it before the server is destroyed - `Opener` does, whatever
// happens - for the server waits for its handlers.
class Gate {
 public:
  // Blocks until the gate is open.
  void wait() const {
    std::unique_lock lock(state_->mutex);
    ++state_->arrived;
    state_->changed.notify_all();
    state_->changed.wait(lock, [this] { return state_->open; });
  }
  void open() const {
    const std::lock_guard lock(state_->mutex);
    state_->open = true;
    state_->changed.notify_all();
  }
  // How many have come to the gate so far.
  size_t arrived() const {
    const std::lock_guard lock(state_->mutex);
    return state_->arrived;
  }

  class Opener;

 private:
  // Owners: every copy of the handle.
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    size_t arrived = 0;
    bool open = false;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

// Declare it after the server, so that the gate is open when the server ends.
class Gate::Opener {
 public:
  explicit Opener(Gate gate) : gate_(std::move(gate)) {}
  ~Opener() { gate_.open(); }
  Opener(const Opener&) = delete;
  Opener& operator=(const Opener&) = delete;

 private:
  Gate gate_;
};

}  // namespace support
