// Connections to PostgreSQL for handlers, by libpq (docs/databases.md).
//
// Thread: any, one at a time for each connection, but no loop code. A call that waits gives its
// loop away first, and ends when its time is over or nobody wants the answer of the request any
// more. Statements go out as they are: there is no mapping of objects.
//
//   tr::Pool<tr::postgres::Connection> pool(
//       tr::postgres::pool_options({.url = "postgres://app@db1/app"}));
//   ...
//   auto database = pool.take();
//   if (!database) return database.refusal();
//   const auto rows = database->query("SELECT name FROM users WHERE id = $1", {"17"});
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

struct pg_conn;  // of libpq
struct pg_result;

namespace trireme { inline namespace v0 { namespace postgres {

struct Options {
  // As libpq takes it: "postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=require", or
  // "host=/run/postgresql dbname=app". Several hosts are tried in their order; with
  // "target_session_attrs=read-write" the one that writes is found after a failover.
  std::string url{};
  // What making a connection may take, and what a dead network may do to a call. Of several hosts
  // each gets its share, so that one whose machine is dark does not take it all: a second at least.
  std::chrono::nanoseconds connect_time_max = std::chrono::seconds(5);
  // What a statement may take. query() cancels it; the server does so itself, by its
  // statement_timeout, if it hears nothing of us any more.
  std::chrono::nanoseconds statement_time_max = std::chrono::seconds(30);
};

// Why a statement has no result.
struct Failure {
  enum class Kind : uint8_t {
    kNone,
    kStatement,   // the database has refused it: `sqlstate` says why. The connection is good
    kConnection,  // lost: whether the statement was done is not known, if it had been sent
    kTime,        // it took too long and was cancelled
    kCancelled,   // nobody wants the answer of the request any more
  };
  Kind kind = Kind::kNone;
  std::string sqlstate{};  // five characters, such as "23505"; empty if the database sent none
  std::string message{};   // one line
  bool was_sent = true;    // false: the database has not seen the statement
};

// The result of a statement, or its failure. Owns its memory; moves.
class Rows {
 public:
  explicit Rows(Failure failure);
  explicit Rows(pg_result* result);  // owns it

  // Any thread. False: failure() says why, and there are no rows.
  explicit operator bool() const { return failure_.kind == Failure::Kind::kNone; }
  const Failure& failure() const { return failure_; }

  // Any thread. Rows and columns that came, and rows that INSERT, UPDATE or DELETE have touched.
  size_t size() const;
  size_t columns() const;
  uint64_t affected() const;
  // Any thread. A value in text form; empty where it is NULL, or where there is none. Borrowed from
  // this object.
  std::string_view text(size_t row, size_t column) const;
  bool is_null(size_t row, size_t column) const;

 private:
  struct Clear {
    void operator()(pg_result* result) const;
  };
  Failure failure_{};
  std::unique_ptr<pg_result, Clear> result_{};
};

// A value for `$1`, `$2` and so on, in text form; nothing is NULL.
using Param = std::optional<std::string>;

// One session of the database. Moves.
class Connection {
 public:
  // Any thread. Waits for `connect_time_max` at most, or for `time_max` if that is shorter.
  static Result<Connection> connect(
      const Options& options, std::chrono::nanoseconds time_max = std::chrono::nanoseconds::max());

  // Any thread. Waits until all has come, for `statement_time_max` at most, or for `time_max` if
  // that is shorter. Without parameters `sql` may be several statements: the rows are those of the
  // last one. A statement that is given up is cancelled at the server; if that does not answer
  // within a second, the connection is lost.
  Rows query(const std::string& sql, const std::vector<Param>& params = {},
             std::chrono::nanoseconds time_max = std::chrono::nanoseconds::max());

  // Any thread. False: it is lost. Asks the socket, and never waits.
  bool is_alive();
  // Any thread. Ends a transaction that is open. False: the connection is of no use any more.
  bool reset();

 private:
  using TimePoint = std::chrono::steady_clock::time_point;
  struct Finish {
    void operator()(pg_conn* connection) const;
  };
  explicit Connection(pg_conn* connection) : connection_(connection) {}

  Failure send(const std::string& sql, const std::vector<Param>& params, TimePoint until);
  Rows receive(TimePoint until);
  bool cancel(TimePoint until);
  Failure lost() const;

  std::unique_ptr<pg_conn, Finish> connection_;
  std::chrono::nanoseconds statement_time_max_{0};
  bool is_lost_ = false;
};

// Any thread. Options of a pool of such connections. The functions are set; all else is yours.
PoolOptions<Connection> pool_options(Options options);

// Any thread. `text` as a literal of SQL, in quotes, for statements without parameters.
std::string literal(std::string_view text);

}}}  // namespace trireme::postgres
