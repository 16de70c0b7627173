#include "services/sqlite_database.h"

#include <system_error>

namespace services {

SqliteStatement SqliteDatabase::prepare(const char* sql) const {
  sqlite3_stmt* statement = nullptr;
  sqlite3_prepare_v3(handle.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  return SqliteStatement(statement);
}

std::string SqliteDatabase::problem() const {
  std::string sentence = sqlite3_errmsg(handle.get());
  const int code = sqlite3_errcode(handle.get());
  const bool is_recent = code == SQLITE_IOERR || code == SQLITE_CANTOPEN;
  const int error = is_recent ? sqlite3_system_errno(handle.get()) : 0;
  return error == 0 ? sentence : sentence + " (" + std::system_category().message(error) + ")";
}

int64_t SqliteDatabase::number(const char* sql) const {
  const SqliteStatement statement = prepare(sql);
  if (statement == nullptr || sqlite3_step(statement.get()) != SQLITE_ROW) return -1;
  return sqlite3_column_int64(statement.get(), 0);
}

std::string open_database(const std::string& path, SqliteDatabase& database) {
  // With a directory in front SQLite takes ":memory:" and "file:..." for names of files, too.
  const std::string name = path.front() == '/' ? path : "./" + path;
  sqlite3* handle = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  const int status = sqlite3_open_v2(name.c_str(), &handle, flags, nullptr);
  database.handle.reset(handle);
  if (status != SQLITE_OK) return database.problem();
  sqlite3_busy_timeout(handle, kLockWaitMilliseconds);
  // Nor by itself: services/sqlite_log.h says when.
  sqlite3_wal_autocheckpoint(handle, 0);

  const SqliteStatement log_mode = database.prepare("PRAGMA journal_mode=WAL");
  if (sqlite3_step(log_mode.get()) != SQLITE_ROW) return database.problem();
  const void* const mode = sqlite3_column_text(log_mode.get(), 0);
  if (std::string_view(static_cast<const char*>(mode)) != "wal") {
    // SQLite opens what it may not write, and says so here at the earliest.
    if (sqlite3_db_readonly(handle, "main") == 1) return "it cannot be written";
    return "its file system does not support a write-ahead log";
  }
  sqlite3_reset(log_mode.get());
  if (sqlite3_db_readonly(handle, "main") == 1) return "it cannot be written";
  if (!database.execute("PRAGMA synchronous=FULL;"
                        "CREATE TABLE IF NOT EXISTS readings("
                        "  device TEXT NOT NULL, metric TEXT NOT NULL,"
                        "  value REAL NOT NULL, time REAL NOT NULL);"
                        "CREATE INDEX IF NOT EXISTS readings_by_time"
                        "  ON readings(device, metric, time)")) {
    return database.problem();
  }

  const auto prepare = [&](SqliteStatement& statement, const std::string& sql) {
    statement = database.prepare(sql.c_str());
    return statement != nullptr;
  };
  const std::string select =
      "SELECT value, time, rowid FROM readings WHERE device = ?1 AND metric = ?2 ";
  const bool prepared =
      prepare(database.begin, "BEGIN IMMEDIATE") && prepare(database.commit, "COMMIT") &&
      prepare(database.insert,
              "INSERT INTO readings(device, metric, value, time) VALUES(?1, ?2, ?3, ?4)") &&
      prepare(database.count, "SELECT count(*) FROM readings") &&
      prepare(database.last,
              select + "AND time < ?3 ORDER BY time DESC, rowid DESC LIMIT 1") &&
      prepare(database.range,  // not (time, rowid) > (?3, ?4): that reads all rows of a time
              select + "AND time = ?3 AND rowid > ?4 AND time <= ?5 UNION ALL " + select +
                  "AND time > ?3 AND time <= ?5 ORDER BY time, rowid LIMIT ?6");
  return prepared ? "" : database.problem();
}

std::string try_to_write(const SqliteDatabase& database) {
  // The number is the operator's: it stays as it is.
  const std::string same =
      "PRAGMA user_version=" + std::to_string(database.number("PRAGMA user_version"));
  sqlite3_busy_timeout(database.handle.get(), 0);
  const bool written = database.execute("BEGIN IMMEDIATE") && database.execute(same.c_str()) &&
                       database.execute("COMMIT");
  const bool is_locked = !written && sqlite3_errcode(database.handle.get()) == SQLITE_BUSY;
  const std::string problem = written || is_locked ? "" : database.problem();
  if (sqlite3_get_autocommit(database.handle.get()) == 0) database.execute("ROLLBACK");
  sqlite3_busy_timeout(database.handle.get(), kLockWaitMilliseconds);
  return problem;
}

}  // namespace services
