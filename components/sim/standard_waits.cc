// Locks, condition variables, sleeps and clocks of the standard library, as fibers see them.
//
// The linker option `--wrap` (CMakeLists.txt) sends the calls of the user's program here. On a
// fiber of a world they wait in virtual time and let the other fibers run; on every other thread
// they are what they were. So a server that locks a std::mutex, also around a call that switches
// fibers, runs unmodified. Not among them: std::thread, std::recursive_mutex (all fibers are one
// thread to it), semaphores and std::atomic::wait.
#include <pthread.h>
#include <time.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <mutex>

#include "sim/scheduler.h"

namespace trireme { inline namespace v0 { namespace sim {
namespace {

// Every world begins on 2026-01-01 at midnight, as for the server.
constexpr std::chrono::seconds kWallStart{1'767'225'600};

Duration duration_of(const timespec& time) {
  return std::chrono::seconds(time.tv_sec) + Duration(time.tv_nsec);
}

// The moment of virtual time that a clock of the standard library shows as `time`.
TimePoint moment_of(Scheduler& scheduler, clockid_t clock, const timespec& time) {
  if (clock != CLOCK_REALTIME) return TimePoint(duration_of(time));
  return scheduler.started() + (duration_of(time) - kWallStart);
}

template <typename Try>
int wait_for_lock(Scheduler& scheduler, const void* lock, const char* what, Try try_lock) {
  scheduler.lock_point();
  for (;;) {
    const int result = try_lock();
    if (result != EBUSY && result != EDEADLK) return result;
    scheduler.block_at(lock, {what});
  }
}

void sleep_on_fiber(Scheduler& scheduler, TimePoint until) {
  scheduler.point();
  scheduler.block({"sleep", 0, until});
}

}  // namespace

extern "C" {

int __real_pthread_mutex_lock(pthread_mutex_t*);
int __real_pthread_mutex_unlock(pthread_mutex_t*);
int __real_pthread_rwlock_rdlock(pthread_rwlock_t*);
int __real_pthread_rwlock_wrlock(pthread_rwlock_t*);
int __real_pthread_rwlock_unlock(pthread_rwlock_t*);
int __real_pthread_cond_timedwait(pthread_cond_t*, pthread_mutex_t*, const timespec*);
int __real_pthread_cond_clockwait(pthread_cond_t*, pthread_mutex_t*, clockid_t, const timespec*);
int __real_nanosleep(const timespec*, timespec*);

int __wrap_pthread_mutex_lock(pthread_mutex_t* mutex) {
  Scheduler* scheduler = Scheduler::of_this_thread();
  if (scheduler == nullptr) return __real_pthread_mutex_lock(mutex);
  return wait_for_lock(*scheduler, mutex, "std::mutex",
                       [mutex] { return pthread_mutex_trylock(mutex); });
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t* mutex) {
  const int result = __real_pthread_mutex_unlock(mutex);
  Scheduler* scheduler = Scheduler::of_this_thread();
  if (scheduler == nullptr) return result;
  scheduler->wake_one(mutex);
  scheduler->lock_point();
  return result;
}

int __wrap_pthread_rwlock_rdlock(pthread_rwlock_t* lock) {
  Scheduler* scheduler = Scheduler::of_this_thread();
  if (scheduler == nullptr) return __real_pthread_rwlock_rdlock(lock);
  return wait_for_lock(*scheduler, lock, "std::shared_mutex (shared)",
                       [lock] { return pthread_rwlock_tryrdlock(lock); });
}

int __wrap_pthread_rwlock_wrlock(pthread_rwlock_t* lock) {
  Scheduler* scheduler = Scheduler::of_this_thread();
  if (scheduler == nullptr) return __real_pthread_rwlock_wrlock(lock);
  return wait_for_lock(*scheduler, lock, "std::shared_mutex",
                       [lock] { return pthread_rwlock_trywrlock(lock); });
}

int __wrap_pthread_rwlock_unlock(pthread_rwlock_t* lock) {
  const int result = __real_pthread_rwlock_unlock(lock);
  Scheduler* scheduler = Scheduler::of_this_thread();
  if (scheduler == nullptr) return result;
  scheduler->wake_all(lock);
  scheduler->lock_point();
  return result;
}

int __wrap_pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex,
                                  clockid_t clock, const timespec* until) {
  Scheduler* scheduler = Scheduler::of_this_thread();
  if (scheduler == nullptr) {
    return __real_pthread_cond_clockwait(condition, mutex, clock, until);
  }
  // Nothing runs between the two: fibers switch only where they say so.
  __real_pthread_mutex_unlock(mutex);
  scheduler->wake_one(mutex);
  const bool woken = scheduler->block_at(
      condition, {"std::condition_variable", 0, moment_of(*scheduler, clock, *until)});
  __wrap_pthread_mutex_lock(mutex);
  return woken ? 0 : ETIMEDOUT;
}

int __wrap_pthread_cond_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex,
                                  const timespec* until) {
  if (Scheduler::of_this_thread() == nullptr) {
    return __real_pthread_cond_timedwait(condition, mutex, until);
  }
  return __wrap_pthread_cond_clockwait(condition, mutex, CLOCK_REALTIME, until);
}

int __wrap_nanosleep(const timespec* time, timespec* rest) {
  Scheduler* scheduler = Scheduler::of_this_thread();
  if (scheduler == nullptr) return __real_nanosleep(time, rest);
  sleep_on_fiber(*scheduler, scheduler->now() + duration_of(*time));
  return 0;
}

// std::condition_variable::wait, notify_one and notify_all: inside the library's shared object.
void __real__ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE(
    std::condition_variable*, std::unique_lock<std::mutex>&);
void __real__ZNSt18condition_variable10notify_oneEv(std::condition_variable*);
void __real__ZNSt18condition_variable10notify_allEv(std::condition_variable*);

void __wrap__ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE(
    std::condition_variable* condition, std::unique_lock<std::mutex>& lock) {
  Scheduler* scheduler = Scheduler::of_this_thread();
  if (scheduler == nullptr) {
    return __real__ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE(condition, lock);
  }
  pthread_mutex_t* mutex = lock.mutex()->native_handle();
  __real_pthread_mutex_unlock(mutex);
  scheduler->wake_one(mutex);
  scheduler->block_at(condition->native_handle(), {"std::condition_variable"});
  __wrap_pthread_mutex_lock(mutex);
}

void __wrap__ZNSt18condition_variable10notify_oneEv(std::condition_variable* condition) {
  Scheduler* scheduler = Scheduler::of_this_thread();
  __real__ZNSt18condition_variable10notify_oneEv(condition);
  if (scheduler == nullptr) return;
  scheduler->wake_one(condition->native_handle());
  scheduler->lock_point();
}

void __wrap__ZNSt18condition_variable10notify_allEv(std::condition_variable* condition) {
  Scheduler* scheduler = Scheduler::of_this_thread();
  __real__ZNSt18condition_variable10notify_allEv(condition);
  if (scheduler == nullptr) return;
  scheduler->wake_all(condition->native_handle());
  scheduler->lock_point();
}

// std::chrono::steady_clock::now and system_clock::now.
int64_t __real__ZNSt6chrono3_V212steady_clock3nowEv();
int64_t __real__ZNSt6chrono3_V212system_clock3nowEv();

int64_t __wrap__ZNSt6chrono3_V212steady_clock3nowEv() {
  Scheduler* scheduler = Scheduler::of_this_thread();
  if (scheduler == nullptr) return __real__ZNSt6chrono3_V212steady_clock3nowEv();
  return scheduler->read_clock().time_since_epoch().count();
}

int64_t __wrap__ZNSt6chrono3_V212system_clock3nowEv() {
  Scheduler* scheduler = Scheduler::of_this_thread();
  if (scheduler == nullptr) return __real__ZNSt6chrono3_V212system_clock3nowEv();
  return Duration(kWallStart + (scheduler->read_clock() - scheduler->started())).count();
}

}  // extern "C"

}}}  // namespace trireme::sim
