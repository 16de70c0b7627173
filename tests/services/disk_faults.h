// A disk that can be slow or broken, for SQLite inside a test program.
//
// Method: the program's own fdatasync() stands before libc's, and SQLite's table of system calls
// gets another pwrite(). Both ask the one object below.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>

namespace services::testing {

// Process-wide, because what it replaces is. Any thread. All switched off by `reset`.
class DiskFaults {
 public:
  static DiskFaults& get();

  // Called before every sync, by the syncing thread; answers 0 or an errno to fail with.
  void on_sync(std::function<int()> hook);
  // Every write fails with this errno; 0: none does.
  void fail_writes(int error) { write_error_ = error; }
  int syncs_count() const { return syncs_count_; }
  void reset();

  int before_sync();
  int write_error() const { return write_error_; }

 private:
  DiskFaults();

  std::mutex mutex_;  // guards hook_
  std::function<int()> hook_;
  std::atomic<int> write_error_{0};
  std::atomic<int> syncs_count_{0};
};

// What an operator does in a shell of the database.
void execute(const std::string& path, const std::string& sql);

}  // namespace services::testing
