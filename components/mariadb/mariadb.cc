#include "trireme/mariadb.h"

#include <mysql.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <mutex>
#include <utility>

#include "trireme/blocking.h"

namespace trireme { inline namespace v0 { namespace mariadb {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using Clock = std::chrono::steady_clock;
using Kind = Failure::Kind;

// Errors from here to 2,999 are of the client library: the connection is lost.
constexpr uint32_t kClientErrors = 2'000;

Clock::time_point after(nanoseconds time) {
  const auto now = Clock::now();
  return time < Clock::time_point::max() - now ? now + time : Clock::time_point::max();
}

// The library keeps memory for each thread that calls it. Handlers run on threads that come and go:
// theirs ends with them.
class ThreadOfLibrary {
 public:
  ThreadOfLibrary() {
    static std::once_flag once;
    std::call_once(once, [] { mysql_library_init(0, nullptr, nullptr); });
    mysql_thread_init();
  }
  ~ThreadOfLibrary() { mysql_thread_end(); }
  ThreadOfLibrary(const ThreadOfLibrary&) = delete;
  ThreadOfLibrary& operator=(const ThreadOfLibrary&) = delete;
};

void enter_library() { [[maybe_unused]] static thread_local const ThreadOfLibrary thread; }

struct FreeResult {
  void operator()(MYSQL_RES* result) const { mysql_free_result(result); }
};
using ResultSet = std::unique_ptr<MYSQL_RES, FreeResult>;

struct CloseStatement {
  void operator()(MYSQL_STMT* statement) const { mysql_stmt_close(statement); }
};

}  // namespace

// The steps of one call: the library says what it waits for, and this waits.
class Connection::Steps {
 public:
  Steps(st_mysql* connection, TimePoint until) : connection_(connection), until_(until) {}

  // `start(&result)` begins an operation, `go_on(&result, events)` continues it. False: it was
  // given up, and why() says why.
  template <class T, class Start, class GoOn>
  bool run(T& result, Start start, GoOn go_on) {
    int status = start(&result);
    while (status != 0) {
      const int events = wait(status);
      if (why_ != Kind::kNone) return false;
      status = go_on(&result, events);
    }
    return true;
  }
  Kind why() const { return why_; }

 private:
  // What has happened of what `status` asks for.
  int wait(int status) {
    const auto asked = (status & MYSQL_WAIT_TIMEOUT) != 0
                           ? after(milliseconds(mysql_get_timeout_value_ms(connection_)))
                           : Clock::time_point::max();
    const int fd = static_cast<int>(mysql_get_socket(connection_));
    const auto left = std::min(until_, asked) - Clock::now();
    // Never both: the library reads what comes, or writes what is left.
    const int events = status & (MYSQL_WAIT_READ | MYSQL_WAIT_WRITE);
    switch (events == MYSQL_WAIT_WRITE ? wait_writable(fd, left) : wait_readable(fd, left)) {
      case WaitResult::kReady:
        return events;
      case WaitResult::kTimeOver:
        if (asked <= until_) return MYSQL_WAIT_TIMEOUT;
        why_ = Kind::kTime;
        break;
      case WaitResult::kCancelled:
        why_ = Kind::kCancelled;
        break;
    }
    return 0;
  }

  st_mysql* const connection_;
  const TimePoint until_;
  Kind why_ = Kind::kNone;
};

void Connection::Close::operator()(st_mysql* connection) const {
  enter_library();
  mysql_close(connection);
}

Result<Connection> Connection::connect(const Options& options, nanoseconds time_max) {
  blocking();
  enter_library();
  const auto until = after(std::min(time_max, options.connect_time_max));
  const auto fail = [](std::string why) {
    return Error{Error::Code::kSystem,
                 "cannot connect to the database: " + one_line(std::move(why))};
  };
  Connection made(mysql_init(nullptr));
  st_mysql* const connection = made.connection_.get();
  if (connection == nullptr) return fail("out of memory");
  mysql_options(connection, MYSQL_OPT_NONBLOCK, nullptr);
  mysql_options(connection, MYSQL_SET_CHARSET_NAME, "utf8mb4");
  const auto text = [](const std::string& word) { return word.empty() ? nullptr : word.c_str(); };
  Steps steps(connection, until);
  st_mysql* connected = nullptr;
  const bool is_local = !options.path.empty();
  const bool done = steps.run(
      connected,
      [&](st_mysql** result) {
        return mysql_real_connect_start(
            result, connection, is_local ? "localhost" : options.host.c_str(), text(options.user),
            text(options.password), text(options.database), is_local ? 0 : options.port,
            text(options.path), CLIENT_REMEMBER_OPTIONS);
      },
      [&](st_mysql** result, int events) {
        return mysql_real_connect_cont(result, connection, events);
      });
  if (!done) {
    const bool is_time = steps.why() == Kind::kTime;
    static_cast<void>(made.connection_.release());  // in the midst of its steps: mysql_close waits
    if (const int fd = static_cast<int>(mysql_get_socket(connection)); fd >= 0) {
      ::shutdown(fd, SHUT_RDWR);
    }
    mysql_close(connection);
    return fail(is_time ? "the database took too long" : "the request was cancelled");
  }
  if (connected == nullptr) return fail(mysql_error(connection));
  made.statement_time_max_ = options.statement_time_max;
  const auto limit = std::chrono::ceil<milliseconds>(options.statement_time_max);
  if (limit.count() > 0 && mariadb_connection(connection) != 0) {
    const Rows set = made.query("SET max_statement_time = " + std::to_string(limit.count()) + "e-3",
                                {}, until - Clock::now());
    if (!set) return fail(set.failure().message);
  }
  return made;
}

Rows Connection::fail(uint32_t code, const char* sqlstate, const char* message,
                      const Steps& steps) {
  if (steps.why() != Kind::kNone) {
    is_lost_ = true;
    // What it still does at the server ends by max_statement_time, or when it is written to.
    ::shutdown(static_cast<int>(mysql_get_socket(connection_.get())), SHUT_RDWR);
    return Rows(
        {steps.why(),
         {},
         0,
         steps.why() == Kind::kTime ? "the database took too long" : "the request was cancelled"});
  }
  const bool is_of_client = code >= kClientErrors && code < kClientErrors + 1'000;
  is_lost_ = is_lost_ || is_of_client;
  return Rows(
      {is_of_client ? Kind::kConnection : Kind::kStatement, sqlstate, code, one_line(message)});
}

Rows Connection::query(const std::string& sql, const std::vector<Param>& params,
                       nanoseconds time_max) {
  blocking();
  enter_library();
  if (!is_alive()) return Rows({Kind::kConnection, {}, 0, "the connection is lost", false});
  const nanoseconds own = statement_time_max_.count() > 0 ? statement_time_max_ : time_max;
  Steps steps(connection_.get(), after(std::min(own, time_max)));
  return params.empty() ? query_plain(sql, steps) : query_prepared(sql, params, steps);
}

Rows Connection::query_plain(const std::string& sql, Steps& steps) {
  st_mysql* const connection = connection_.get();
  const auto problem = [&] {
    return fail(mysql_errno(connection), mysql_sqlstate(connection), mysql_error(connection),
                steps);
  };
  int failed = 0;
  const bool sent = steps.run(
      failed,
      [&](int* result) {
        return mysql_real_query_start(result, connection, sql.data(), sql.size());
      },
      [&](int* result, int events) { return mysql_real_query_cont(result, connection, events); });
  if (!sent || failed != 0) return problem();
  if (mysql_field_count(connection) == 0) return Rows({}, 0, mysql_affected_rows(connection));
  MYSQL_RES* stored = nullptr;
  const bool came = steps.run(
      stored, [&](MYSQL_RES** result) { return mysql_store_result_start(result, connection); },
      [&](MYSQL_RES** result, int events) {
        return mysql_store_result_cont(result, connection, events);
      });
  if (!came || stored == nullptr) return problem();
  const ResultSet set(stored);
  const unsigned columns = mysql_num_fields(stored);
  std::vector<std::vector<Param>> rows;
  while (MYSQL_ROW row = mysql_fetch_row(stored)) {
    const unsigned long* const sizes = mysql_fetch_lengths(stored);
    std::vector<Param>& values = rows.emplace_back(columns);
    for (unsigned i = 0; i < columns; ++i) {
      if (row[i] != nullptr) values[i] = std::string(row[i], sizes[i]);
    }
  }
  return Rows(std::move(rows), columns, 0);
}

namespace {

using Statement = std::unique_ptr<MYSQL_STMT, CloseStatement>;

// All rows of a statement whose result is stored. False: it says why not.
bool fetch(MYSQL_STMT* statement, std::vector<std::vector<Param>>& rows, size_t& columns) {
  const ResultSet meta(mysql_stmt_result_metadata(statement));
  if (meta == nullptr) return true;
  columns = mysql_num_fields(meta.get());
  std::vector<MYSQL_BIND> binds(columns);
  std::vector<unsigned long> sizes(columns);
  std::vector<my_bool> nulls(columns);
  std::vector<std::string> buffers(columns);
  for (size_t i = 0; i < columns; ++i) {
    // The longest value of the column, which STMT_ATTR_UPDATE_MAX_LENGTH has measured; numbers are
    // shorter than that as text.
    buffers[i].resize(std::max<size_t>(mysql_fetch_fields(meta.get())[i].max_length, 64) + 1);
    binds[i] = {};
    binds[i].buffer_type = MYSQL_TYPE_STRING;
    binds[i].buffer = buffers[i].data();
    binds[i].buffer_length = buffers[i].size();
    binds[i].length = &sizes[i];
    binds[i].is_null = &nulls[i];
  }
  if (mysql_stmt_bind_result(statement, binds.data()) != 0) return false;
  int status = 0;
  while ((status = mysql_stmt_fetch(statement)) == 0) {
    std::vector<Param>& values = rows.emplace_back(columns);
    for (size_t i = 0; i < columns; ++i) {
      if (nulls[i] == 0) values[i] = buffers[i].substr(0, sizes[i]);
    }
  }
  return status == MYSQL_NO_DATA;
}

}  // namespace

Rows Connection::query_prepared(const std::string& sql, const std::vector<Param>& params,
                                Steps& steps) {
  const Statement owned(mysql_stmt_init(connection_.get()));
  MYSQL_STMT* const statement = owned.get();
  if (statement == nullptr) return Rows({Kind::kStatement, {}, 0, "out of memory", false});
  const auto problem = [&] {
    return fail(mysql_stmt_errno(statement), mysql_stmt_sqlstate(statement),
                mysql_stmt_error(statement), steps);
  };
  int failed = 0;
  const bool prepared = steps.run(
      failed,
      [&](int* result) {
        return mysql_stmt_prepare_start(result, statement, sql.data(), sql.size());
      },
      [&](int* result, int events) { return mysql_stmt_prepare_cont(result, statement, events); });
  if (!prepared || failed != 0) return problem();
  if (mysql_stmt_param_count(statement) != params.size()) {
    return Rows({Kind::kStatement, "07001", 0, "as many ? as parameters are needed", false});
  }
  std::vector<MYSQL_BIND> binds(params.size());
  for (size_t i = 0; i < params.size(); ++i) {
    binds[i] = {};
    binds[i].buffer_type = params[i] ? MYSQL_TYPE_STRING : MYSQL_TYPE_NULL;
    if (!params[i]) continue;
    binds[i].buffer = const_cast<char*>(params[i]->data());  // it reads it only
    binds[i].buffer_length = params[i]->size();
  }
  const my_bool measure = 1;
  mysql_stmt_attr_set(statement, STMT_ATTR_UPDATE_MAX_LENGTH, &measure);
  if (mysql_stmt_bind_param(statement, binds.data()) != 0) return problem();
  const bool executed = steps.run(
      failed, [&](int* result) { return mysql_stmt_execute_start(result, statement); },
      [&](int* result, int events) { return mysql_stmt_execute_cont(result, statement, events); });
  if (!executed || failed != 0) return problem();
  if (mysql_stmt_field_count(statement) == 0) {
    return Rows({}, 0, mysql_stmt_affected_rows(statement));
  }
  const bool came = steps.run(
      failed, [&](int* result) { return mysql_stmt_store_result_start(result, statement); },
      [&](int* result, int events) {
        return mysql_stmt_store_result_cont(result, statement, events);
      });
  if (!came || failed != 0) return problem();
  std::vector<std::vector<Param>> rows;
  size_t columns = 0;
  if (!fetch(statement, rows, columns)) return problem();
  return Rows(std::move(rows), columns, 0);
}

bool Connection::is_alive() {
  if (is_lost_ || connection_ == nullptr) return false;
  // Nothing may come between two statements, but a farewell or the end of the stream.
  pollfd socket{
      .fd = static_cast<int>(mysql_get_socket(connection_.get())), .events = POLLIN, .revents = 0};
  if (::poll(&socket, 1, 0) == 0) return true;
  is_lost_ = true;
  return false;
}

bool Connection::reset() {
  if (!is_alive()) return false;
  unsigned status = 0;
  enter_library();
  mariadb_get_infov(connection_.get(), MARIADB_CONNECTION_SERVER_STATUS, &status);
  if ((status & SERVER_STATUS_IN_TRANS) == 0) return true;
  return static_cast<bool>(query("ROLLBACK", {}, milliseconds(1'000)));
}

PoolOptions<Connection> pool_options(Options options) {
  return {
      .make = [options](nanoseconds time_max) { return Connection::connect(options, time_max); },
      .check = [](Connection& connection) { return connection.is_alive(); },
      .check_idle_time = nanoseconds(0),  // it costs a look at the socket
      .check_returned = [](Connection& connection) { return connection.reset(); }};
}

}}}  // namespace trireme::mariadb
