// std::mutex with the annotations that libstdc++ leaves out.
//
// Step: below all steps. Thread: any. Rules: never two at once, never held across a call of
// `Kernel` or `Threads` (the simulator's fibers would deadlock) or into user code.
#pragma once

#include <mutex>

#include "runtime/threads/annotations.h"

namespace trireme { inline namespace v0 {

class CAPABILITY("mutex") Mutex {
 public:
  void lock() ACQUIRE() { mutex_.lock(); }
  void unlock() RELEASE() { mutex_.unlock(); }

 private:
  std::mutex mutex_;
};

class SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~MutexLock() RELEASE() { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

}}  // namespace trireme
