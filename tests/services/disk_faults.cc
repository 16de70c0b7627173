#include "disk_faults.h"

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace services::testing {
namespace {

ssize_t faulty_pwrite(int fd, const void* bytes, size_t size, off_t offset) {
  const int error = DiskFaults::get().write_error();
  if (error == 0) return ::pwrite(fd, bytes, size, offset);
  errno = error;
  return -1;
}

}  // namespace

DiskFaults& DiskFaults::get() {
  static DiskFaults faults;
  return faults;
}

DiskFaults::DiskFaults() {
  sqlite3_vfs* const vfs = sqlite3_vfs_find(nullptr);
  const auto write = reinterpret_cast<sqlite3_syscall_ptr>(&faulty_pwrite);
  // Which of the two is used depends on how SQLite was built.
  vfs->xSetSystemCall(vfs, "pwrite", write);
  vfs->xSetSystemCall(vfs, "pwrite64", write);
}

void DiskFaults::on_sync(std::function<int()> hook) {
  const std::lock_guard lock(mutex_);
  hook_ = std::move(hook);
}

void DiskFaults::reset() {
  on_sync({});
  fail_writes(0);
  syncs_count_ = 0;
}

int DiskFaults::before_sync() {
  ++syncs_count_;
  std::function<int()> hook;
  {
    const std::lock_guard lock(mutex_);
    hook = hook_;
  }
  return hook ? hook() : 0;
}

void execute(const std::string& path, const std::string& sql) {
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &database), SQLITE_OK);
  sqlite3_busy_timeout(database, 10'000);
  EXPECT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
      << sqlite3_errmsg(database);
  sqlite3_close(database);
}

}  // namespace services::testing

extern "C" int fdatasync(int fd) {
  const int error = services::testing::DiskFaults::get().before_sync();
  if (error == 0) return static_cast<int>(syscall(SYS_fdatasync, fd));
  errno = error;
  return -1;
}
