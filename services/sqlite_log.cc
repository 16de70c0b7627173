#include "services/sqlite_log.h"

#include <algorithm>

namespace services {
namespace {

constexpr int kCopyPages = 1'000;
constexpr int kCutPages = 16'000;
constexpr std::chrono::milliseconds kGateTime{100};
constexpr std::chrono::seconds kBetweenGates{1};

int on_log_grown(void* pages, sqlite3*, const char*, int count) {
  *static_cast<int*>(pages) = count;
  return SQLITE_OK;
}

std::string mebibytes(uint64_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

}  // namespace

void SqliteLog::watch(const SqliteDatabase& database) {
  database_ = &database;
  const int64_t page_bytes = database.number("PRAGMA page_size");
  if (page_bytes > 0) page_bytes_ = static_cast<uint64_t>(page_bytes);
  const uint64_t pages_max = bytes_max_ / page_bytes_;
  cut_pages_ = static_cast<int>(std::clamp<uint64_t>(pages_max / 2, 1, kCutPages));
  next_copy_pages_ = std::min(kCopyPages, cut_pages_);
  sqlite3_wal_hook(database.handle.get(), on_log_grown, &pages_);
  int copied = 0;  // what an earlier process has left counts, too
  sqlite3_wal_checkpoint_v2(database.handle.get(), nullptr, SQLITE_CHECKPOINT_PASSIVE, &pages_,
                            &copied);
}

void SqliteLog::tidy() {
  if (pages_ < std::min(kCopyPages, cut_pages_)) {  // it has begun anew
    next_copy_pages_ = std::min(kCopyPages, cut_pages_);
    complained_pages_ = 0;
  }
  if (pages_ >= cut_pages_) {
    try_to_cut();
  } else if (gate_is_closed_) {
    readers_.close_gate({});
    gate_is_closed_ = false;
  }
  if (pages_ >= next_copy_pages_) {
    next_copy_pages_ = copy() ? std::min(kCopyPages, cut_pages_) : pages_ + kCopyPages;
  }
}

bool SqliteLog::copy() {
  int pages = 0, copied = 0;
  const int status = sqlite3_wal_checkpoint_v2(database_->handle.get(), nullptr,
                                               SQLITE_CHECKPOINT_PASSIVE, &pages, &copied);
  if (status != SQLITE_OK && status != SQLITE_BUSY) {
    log_.failure("collect: cannot copy the write-ahead log into the database: " +
                 database_->problem());
  } else if (status == SQLITE_OK) {
    log_.success("the write-ahead log is copied again");
  }
  return status == SQLITE_OK && copied == pages;
}

bool SqliteLog::cut() {
  sqlite3_busy_timeout(database_->handle.get(), 0);  // no wait for readers
  const int status = sqlite3_wal_checkpoint_v2(database_->handle.get(), nullptr,
                                               SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
  sqlite3_busy_timeout(database_->handle.get(), kLockWaitMilliseconds);
  return status == SQLITE_OK;
}

void SqliteLog::try_to_cut() {
  const auto now = Clock::now();
  if (!gate_is_closed_) {
    if (now < next_gate_) return;
    gate_opens_ = now + kGateTime;
    readers_.close_gate(gate_opens_);
    gate_is_closed_ = true;
  }
  const bool are_idle = readers_.are_idle();
  if (!are_idle && now < gate_opens_) return;
  if (are_idle && cut()) {
    pages_ = 0;
    next_copy_pages_ = std::min(kCopyPages, cut_pages_);
    if (complained_pages_ > 0)
      log_.write(tr::LogLevel::kInfo, "the write-ahead log is short again");
    complained_pages_ = 0;
  } else {
    next_gate_ = now + kBetweenGates;
    if (are_idle) complain();
  }
  readers_.close_gate({});
  gate_is_closed_ = false;
}

// Only when it has doubled: a handful of lines for each such reader.
void SqliteLog::complain() {
  if (pages_ / 2 < complained_pages_) return;
  complained_pages_ = pages_;
  log_.write(tr::LogLevel::kWarning,
             "collect: the write-ahead log has " + mebibytes(bytes()) +
                 " and cannot be cut: another process reads the database and does not end; from " +
                 mebibytes(bytes_max_) + " on rows are refused");
}

std::string SqliteLog::problem() {
  if (bytes() < bytes_max_) return {};
  tidy();
  if (bytes() < bytes_max_) return {};
  return "the write-ahead log has " + mebibytes(bytes()) +
         ", because another process reads the database and does not end";
}

}  // namespace services
