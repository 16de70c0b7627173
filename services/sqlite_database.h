// One connection to a SQLite database, and its statements.
//
// Part of `collect`. Thread: one at a time.
#pragma once

#include <sqlite3.h>

#include <memory>
#include <string>
#include <string_view>

#include "services/collect_store.h"

namespace services {

template <auto kFunction>
struct SqliteCall {
  void operator()(auto* object) const { kFunction(object); }
};
using SqliteStatement = std::unique_ptr<sqlite3_stmt, SqliteCall<sqlite3_finalize>>;
using SqliteRun = std::unique_ptr<sqlite3_stmt, SqliteCall<sqlite3_reset>>;  // ends the run only

// How long SQLite waits for a writer of another process.
inline constexpr int kLockWaitMilliseconds = 5'000;

struct SqliteDatabase {
  std::unique_ptr<sqlite3, SqliteCall<sqlite3_close>> handle;
  SqliteStatement begin, insert, commit, last, range, count;

  bool execute(const char* sql) const {
    return sqlite3_exec(handle.get(), sql, nullptr, nullptr, nullptr) == SQLITE_OK;
  }
  SqliteStatement prepare(const char* sql) const;
  // A sentence about the last call: SQLite's, and the system's where it knows more.
  std::string problem() const;
  // The number in the first column of the first row; -1 if there is none.
  int64_t number(const char* sql) const;
};

// Runs a statement that has no rows. False: problem() says why.
inline bool run(const SqliteStatement& statement) {
  return sqlite3_step(SqliteRun(statement.get()).get()) == SQLITE_DONE;
}

// Borrows `text` for the run of the statement.
inline void bind_text(sqlite3_stmt* statement, int place, std::string_view text) {
  sqlite3_bind_text(statement, place, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
}

// Opens the file with its write-ahead log, makes table and index, prepares the statements. Empty,
// or a sentence that says why not.
std::string open_database(const std::string& path, SqliteDatabase& database);

// Writes to the database without a change: empty, or a sentence that says why it cannot. Does not
// wait for the writer of another process.
std::string try_to_write(const SqliteDatabase& database);

}  // namespace services
