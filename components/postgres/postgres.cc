#include "trireme/postgres.h"

#include <libpq-fe.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <future>
#include <system_error>
#include <thread>
#include <utility>

#include "trireme/blocking.h"

namespace trireme { inline namespace v0 { namespace postgres {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using Clock = std::chrono::steady_clock;

// What the server may take to confirm that it has cancelled a statement.
constexpr milliseconds kCancelTimeMax{1'000};

Clock::time_point after(nanoseconds time) {
  const auto now = Clock::now();
  return time < Clock::time_point::max() - now ? now + time : Clock::time_point::max();
}

// Until the socket is ready, and no longer than the request is wanted.
WaitResult wait_for_socket(int fd, short events, Clock::time_point until) {
  const auto left = until - Clock::now();
  return events == POLLIN ? wait_readable(fd, left) : wait_writable(fd, left);
}

// The same for what must be waited for even if nobody wants the request any more.
WaitResult wait_all_the_same(int fd, Clock::time_point until) {
  pollfd socket{.fd = fd, .events = POLLIN, .revents = 0};
  while (true) {
    const auto left = std::chrono::ceil<milliseconds>(until - Clock::now()).count();
    if (::poll(&socket, 1, static_cast<int>(std::max<int64_t>(left, 0))) > 0) {
      return WaitResult::kReady;
    }
    if (left <= 0) return WaitResult::kTimeOver;
  }
}

std::string sentence(const char* text) {
  std::string line = one_line(text != nullptr ? text : "");
  while (!line.empty() && line.back() == ' ') line.pop_back();
  return line.empty() ? "unknown error" : line;
}

Failure failure_of(WaitResult waited) {
  if (waited == WaitResult::kTimeOver)
    return {Failure::Kind::kTime, {}, "the database took too long"};
  return {Failure::Kind::kCancelled, {}, "the request was cancelled"};
}

// Of the time for a connection what each of its hosts gets: one whose machine is dark must leave
// some for the next. The system asks again after a second.
milliseconds time_of_a_host(const Options& options, nanoseconds time_max) {
  PQconninfoOption* const parsed = PQconninfoParse(options.url.c_str(), nullptr);
  int64_t hosts = 1;
  for (const PQconninfoOption* one = parsed; one != nullptr && one->keyword != nullptr; ++one) {
    if (std::string_view(one->keyword) != "host" || one->val == nullptr) continue;
    const std::string_view value(one->val);
    hosts += std::count(value.begin(), value.end(), ',');
  }
  PQconninfoFree(parsed);
  return std::max(milliseconds(1'000), std::chrono::ceil<milliseconds>(time_max / hosts));
}

// What a dead network may do to a call; of a unix socket, nothing.
void limit_silence(int fd, nanoseconds time_max) {
  const auto limit = std::chrono::ceil<milliseconds>(time_max).count();
  const auto time = static_cast<unsigned>(std::clamp<int64_t>(limit, 1'000, 3'600'000));
  ::setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &time, sizeof(time));
}

struct FreeCancel {
  void operator()(PGcancel* handle) const { PQfreeCancel(handle); }
};

std::string text_of(milliseconds time) { return std::to_string(time.count()); }

}  // namespace

// --- Rows ---

Rows::Rows(Failure failure) : failure_(std::move(failure)) {}

Rows::Rows(pg_result* result) : result_(result) {
  const ExecStatusType status = PQresultStatus(result);
  if (status != PGRES_FATAL_ERROR && status != PGRES_BAD_RESPONSE) return;
  const char* const state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const char* const primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  failure_ = {Failure::Kind::kStatement, state != nullptr ? state : "",
              sentence(primary != nullptr ? primary : PQresultErrorMessage(result))};
}

void Rows::Clear::operator()(pg_result* result) const { PQclear(result); }

size_t Rows::size() const { return static_cast<size_t>(PQntuples(result_.get())); }
size_t Rows::columns() const { return static_cast<size_t>(PQnfields(result_.get())); }

uint64_t Rows::affected() const {
  const std::string_view count = result_ != nullptr ? PQcmdTuples(result_.get()) : "";
  uint64_t number = 0;
  std::from_chars(count.data(), count.data() + count.size(), number);
  return number;
}

std::string_view Rows::text(size_t row, size_t column) const {
  if (row >= size() || column >= columns()) return {};
  const int r = static_cast<int>(row), c = static_cast<int>(column);
  return {PQgetvalue(result_.get(), r, c), static_cast<size_t>(PQgetlength(result_.get(), r, c))};
}

bool Rows::is_null(size_t row, size_t column) const {
  if (row >= size() || column >= columns()) return true;
  return PQgetisnull(result_.get(), static_cast<int>(row), static_cast<int>(column)) == 1;
}

// --- Connection ---

void Connection::Finish::operator()(pg_conn* connection) const { PQfinish(connection); }

Result<Connection> Connection::connect(const Options& options, nanoseconds time_max) {
  blocking();
  const nanoseconds time = std::min(time_max, options.connect_time_max);
  const auto until = after(time);
  // A network that is dead ends calls that libpq makes without us, too, such as PQcancel.
  const std::string user_timeout = text_of(time_of_a_host(options, time));
  const std::array<const char*, 4> names = {"dbname", "tcp_user_timeout",
                                            "fallback_application_name", nullptr};
  const std::array<const char*, 4> values = {options.url.c_str(), user_timeout.c_str(), "trireme",
                                             nullptr};
  Connection made(PQconnectStartParams(names.data(), values.data(), 1));
  PGconn* const connection = made.connection_.get();
  const auto fail = [](const std::string& why) {
    return Error{Error::Code::kSystem, "cannot connect to the database: " + why};
  };
  if (connection == nullptr) return fail("out of memory");
  PostgresPollingStatusType state = PGRES_POLLING_WRITING;
  while (PQstatus(connection) != CONNECTION_BAD && state != PGRES_POLLING_OK) {
    const short events = state == PGRES_POLLING_READING ? POLLIN : POLLOUT;
    const WaitResult waited = wait_for_socket(PQsocket(connection), events, until);
    if (waited != WaitResult::kReady) return fail(failure_of(waited).message);
    state = PQconnectPoll(connection);
    if (state == PGRES_POLLING_FAILED) break;
  }
  if (PQstatus(connection) != CONNECTION_OK) return fail(sentence(PQerrorMessage(connection)));
  PQsetnonblocking(connection, 1);
  limit_silence(PQsocket(connection), options.connect_time_max);
  // Notices of the server would go to standard error.
  PQsetNoticeProcessor(
      connection, [](void*, const char*) {}, nullptr);
  made.statement_time_max_ = options.statement_time_max;
  const auto limit = std::chrono::ceil<milliseconds>(options.statement_time_max);
  if (limit.count() > 0) {
    const Rows set =
        made.query("SET statement_timeout = " + text_of(limit), {}, until - Clock::now());
    if (!set) return fail(set.failure().message);
  }
  return made;
}

Failure Connection::lost() const {
  return {Failure::Kind::kConnection, {}, sentence(PQerrorMessage(connection_.get()))};
}

Rows Connection::query(const std::string& sql, const std::vector<Param>& params,
                       nanoseconds time_max) {
  blocking();
  const nanoseconds own = statement_time_max_.count() > 0 ? statement_time_max_ : time_max;
  const auto until = after(std::min(own, time_max));
  if (!is_alive()) {
    Failure failure = lost();
    failure.was_sent = false;
    return Rows(std::move(failure));
  }
  Failure failure = send(sql, params, until);
  return failure.kind == Failure::Kind::kNone ? receive(until) : Rows(std::move(failure));
}

Failure Connection::send(const std::string& sql, const std::vector<Param>& params,
                         TimePoint until) {
  PGconn* const connection = connection_.get();
  std::vector<const char*> values;
  values.reserve(params.size());
  for (const Param& param : params) values.push_back(param ? param->c_str() : nullptr);
  const int sent = params.empty()
                       ? PQsendQuery(connection, sql.c_str())
                       : PQsendQueryParams(connection, sql.c_str(), static_cast<int>(params.size()),
                                           nullptr, values.data(), nullptr, nullptr, 0);
  if (sent != 1) {
    Failure failure = lost();
    failure.was_sent = false;
    return failure;
  }
  while (true) {
    const int rest = PQflush(connection);
    if (rest == 0) return {};
    if (rest < 0) return lost();
    // Not for input as well: the server reads all of a statement before it answers.
    const WaitResult waited = wait_for_socket(PQsocket(connection), POLLOUT, until);
    if (waited != WaitResult::kReady) {  // it cannot be cancelled before it is whole
      is_lost_ = true;
      return failure_of(waited);
    }
    if (PQconsumeInput(connection) != 1) return lost();
  }
}

Rows Connection::receive(TimePoint until) {
  PGconn* const connection = connection_.get();
  std::optional<Rows> last;
  std::optional<Failure> given_up;
  while (true) {
    while (PQisBusy(connection) == 0) {
      PGresult* const result = PQgetResult(connection);
      if (result == nullptr) {
        if (PQstatus(connection) == CONNECTION_BAD) {
          Failure failure = lost();
          if (last && !*last) failure.sqlstate = last->failure().sqlstate;
          return Rows(std::move(failure));
        }
        if (given_up) return Rows(std::move(*given_up));
        return last ? std::move(*last) : Rows(lost());
      }
      const ExecStatusType status = PQresultStatus(result);
      Rows rows(result);
      if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH) {
        is_lost_ = true;
        return Rows({Failure::Kind::kConnection, {}, "COPY is not for query()"});
      }
      if (!last || *last) last = std::move(rows);  // the first failure stays
    }
    const int fd = PQsocket(connection);
    const WaitResult waited =
        given_up ? wait_all_the_same(fd, until) : wait_for_socket(fd, POLLIN, until);
    if (waited != WaitResult::kReady) {
      if (given_up) {
        is_lost_ = true;
        return Rows(std::move(*given_up));
      }
      given_up = failure_of(waited);
      until = after(kCancelTimeMax);
      is_lost_ = !cancel(until);
      if (is_lost_) return Rows(std::move(*given_up));
    } else if (PQconsumeInput(connection) != 1) {
      return Rows(lost());
    }
  }
}

// PQcancel waits for the server without a limit, and one that hangs never ends that wait. So it has
// a thread of its own, which owns all it uses, and is left behind then. False: not in time, and the
// connection must not be used again: the word may come in the midst of its next statement.
bool Connection::cancel(TimePoint until) {
  std::unique_ptr<PGcancel, FreeCancel> handle(PQgetCancel(connection_.get()));
  if (handle == nullptr) return false;
  std::promise<void> taken;
  const std::future<void> is_taken = taken.get_future();
  auto ask = [handle = std::move(handle), taken = std::move(taken)]() mutable {
    ::pthread_setname_np(::pthread_self(), "pg-cancel");
    std::array<char, 256> error{};
    PQcancel(handle.get(), error.data(), static_cast<int>(error.size()));
    taken.set_value();
  };
  // Signals are the server's: none is for that thread.
  sigset_t all, before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  bool is_asked = true;
  try {
    std::thread(std::move(ask)).detach();
  } catch (const std::system_error&) {
    is_asked = false;  // the server's statement_timeout ends it
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return is_asked && is_taken.wait_until(until) == std::future_status::ready;
}

bool Connection::is_alive() {
  if (is_lost_ || connection_ == nullptr || PQstatus(connection_.get()) != CONNECTION_OK) {
    return false;
  }
  pollfd socket{.fd = PQsocket(connection_.get()), .events = POLLIN, .revents = 0};
  if (::poll(&socket, 1, 0) <= 0) return true;
  // A word of farewell, or a notice. The second look finds the end of the stream.
  if (PQconsumeInput(connection_.get()) != 1) return false;
  if (::poll(&socket, 1, 0) <= 0) return true;
  return PQconsumeInput(connection_.get()) == 1 && PQstatus(connection_.get()) == CONNECTION_OK;
}

bool Connection::reset() {
  if (!is_alive()) return false;
  switch (PQtransactionStatus(connection_.get())) {
    case PQTRANS_IDLE:
      return true;
    case PQTRANS_INTRANS:
    case PQTRANS_INERROR:
      return static_cast<bool>(query("ROLLBACK", {}, kCancelTimeMax));
    case PQTRANS_ACTIVE:
    case PQTRANS_UNKNOWN:
      break;
  }
  return false;
}

PoolOptions<Connection> pool_options(Options options) {
  return {
      .make = [options](nanoseconds time_max) { return Connection::connect(options, time_max); },
      .check = [](Connection& connection) { return connection.is_alive(); },
      .check_idle_time = nanoseconds(0),  // it costs a look at the socket
      .check_returned = [](Connection& connection) { return connection.reset(); }};
}

std::string literal(std::string_view text) {
  std::string quoted = text.find('\\') != std::string_view::npos ? "E'" : "'";
  for (const char byte : text) {
    if (byte == '\'' || byte == '\\') quoted += byte;
    quoted += byte;
  }
  return quoted + "'";
}

}}}  // namespace trireme::postgres
