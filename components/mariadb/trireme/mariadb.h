// Connections to MariaDB and MySQL for handlers, by libmariadb (docs/databases.md).
//
// Thread: any, one at a time for each connection, but no loop code. A call that waits gives its
// loop away first, and ends when its time is over or nobody wants the answer of the request any
// more. Statements go out as they are: there is no mapping of objects.
//
//   tr::Pool<tr::mariadb::Connection> pool(
//       tr::mariadb::pool_options({.host = "db1", .user = "app", .database = "app"}));
//   ...
//   const auto rows = database->query("SELECT name FROM users WHERE id = ?", {"17"});
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "trireme/pool.h"
#include "trireme/result.h"

struct st_mysql;  // of libmariadb

namespace trireme { inline namespace v0 { namespace mariadb {

struct Options {
  std::string host = "127.0.0.1";
  uint16_t port = 3306;
  std::string path{};  // of a unix socket, instead of host and port
  std::string user{};
  std::string password{};
  std::string database{};
  std::chrono::nanoseconds connect_time_max = std::chrono::seconds(5);
  // What a statement may take. query() gives up then; MariaDB ends it by its max_statement_time.
  std::chrono::nanoseconds statement_time_max = std::chrono::seconds(30);
};

// Why a statement has no result.
struct Failure {
  enum class Kind : uint8_t {
    kNone,
    kStatement,   // the database has refused it: `sqlstate` says why. The connection is good
    kConnection,  // lost: whether the statement was done is not known, if it had been sent
    kTime,        // it took too long; the connection is lost, for its answer may still come
    kCancelled,   // nobody wants the answer of the request any more; likewise
  };
  Kind kind = Kind::kNone;
  std::string sqlstate{};  // five characters, such as "23000"
  uint32_t code = 0;       // of MariaDB or of its client, such as 1062
  std::string message{};   // one line
  bool was_sent = true;    // false: the database has not seen the statement
};

// A value in text form; nothing is NULL.
using Param = std::optional<std::string>;

// The result of a statement, or its failure. A value.
class Rows {
 public:
  explicit Rows(Failure failure) : failure_(std::move(failure)) {}
  Rows(std::vector<std::vector<Param>> rows, size_t columns, uint64_t affected)
      : rows_(std::move(rows)), columns_(columns), affected_(affected) {}

  // Any thread. False: failure() says why, and there are no rows.
  explicit operator bool() const { return failure_.kind == Failure::Kind::kNone; }
  const Failure& failure() const { return failure_; }

  // Any thread. Rows and columns that came, and rows that INSERT, UPDATE or DELETE have touched.
  size_t size() const { return rows_.size(); }
  size_t columns() const { return columns_; }
  uint64_t affected() const { return affected_; }
  // Any thread. Empty where it is NULL, or where there is none. Borrowed from this object.
  std::string_view text(size_t row, size_t column) const {
    return is_null(row, column) ? std::string_view() : *rows_[row][column];
  }
  bool is_null(size_t row, size_t column) const {
    return row >= size() || column >= columns_ || !rows_[row][column];
  }

 private:
  Failure failure_{};
  std::vector<std::vector<Param>> rows_{};
  size_t columns_ = 0;
  uint64_t affected_ = 0;
};

// One session of the database. Moves.
class Connection {
 public:
  // Any thread. Waits for `connect_time_max` at most, or for `time_max` if that is shorter.
  static Result<Connection> connect(
      const Options& options, std::chrono::nanoseconds time_max = std::chrono::nanoseconds::max());

  // Any thread. Waits until all has come, for `statement_time_max` at most, or for `time_max` if
  // that is shorter. `?` in `sql` stand for the parameters, which are sent apart from it.
  Rows query(const std::string& sql, const std::vector<Param>& params = {},
             std::chrono::nanoseconds time_max = std::chrono::nanoseconds::max());

  // Any thread. False: it is lost. Asks the socket, and never waits.
  bool is_alive();
  // Any thread. Ends a transaction that is open. False: the connection is of no use any more.
  bool reset();

 private:
  using TimePoint = std::chrono::steady_clock::time_point;
  class Steps;
  struct Close {
    void operator()(st_mysql* connection) const;
  };
  explicit Connection(st_mysql* connection) : connection_(connection) {}

  Rows query_plain(const std::string& sql, Steps& steps);
  Rows query_prepared(const std::string& sql, const std::vector<Param>& params, Steps& steps);
  Rows fail(uint32_t code, const char* sqlstate, const char* message, const Steps& steps);

  std::unique_ptr<st_mysql, Close> connection_;
  std::chrono::nanoseconds statement_time_max_{0};
  bool is_lost_ = false;
};

// Any thread. Options of a pool of such connections. The functions are set; all else is yours.
PoolOptions<Connection> pool_options(Options options);

}}}  // namespace trireme::mariadb
