// SQLite for this example: statements with their values, one connection for all threads. A handler
// that waits for the lock, or for the disk, holds up no client.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

class Database {
 public:
  // The columns of a row, by their places.
  class Row {
   public:
    explicit Row(sqlite3_stmt* statement) : statement_(statement) {}
    int64_t number(int column) const { return sqlite3_column_int64(statement_, column); }
    std::string text(int column) const {
      const void* const bytes = sqlite3_column_blob(statement_, column);
      const auto size = static_cast<size_t>(sqlite3_column_bytes(statement_, column));
      return size == 0 ? std::string() : std::string(static_cast<const char*>(bytes), size);
    }

   private:
    sqlite3_stmt* statement_;
  };

  explicit Database(const std::string& file) {
    sqlite3* opened = nullptr;
    const int status = sqlite3_open(file.c_str(), &opened);
    database_.reset(opened);
    if (status != SQLITE_OK) fail("cannot open " + file);
    sqlite3_busy_timeout(opened, 5'000);
  }

  // Runs one statement; `see` is called for each row. Returns the rows that it has changed.
  int run(const std::string& sql, const std::vector<std::string>& values = {},
          const std::function<void(const Row&)>& see = nullptr) {
    const std::lock_guard lock(mutex_);
    sqlite3_stmt* prepared = nullptr;
    if (sqlite3_prepare_v2(database_.get(), sql.c_str(), -1, &prepared, nullptr) != SQLITE_OK) {
      fail(sql);
    }
    const std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)> statement(prepared,
                                                                               &sqlite3_finalize);
    for (size_t i = 0; i < values.size(); ++i) {
      sqlite3_bind_text(prepared, static_cast<int>(i) + 1, values[i].data(),
                        static_cast<int>(values[i].size()), SQLITE_TRANSIENT);
    }
    int status = SQLITE_ROW;
    while ((status = sqlite3_step(prepared)) == SQLITE_ROW) {
      if (see) see(Row(prepared));
    }
    if (status != SQLITE_DONE) fail(sql);
    return sqlite3_changes(database_.get());
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw std::runtime_error(what + ": " + sqlite3_errmsg(database_.get()));
  }

  std::mutex mutex_;
  std::unique_ptr<sqlite3, decltype(&sqlite3_close)> database_{nullptr, &sqlite3_close};
};
