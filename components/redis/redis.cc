#include "trireme/redis.h"

#include <hiredis/hiredis.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "trireme/blocking.h"

namespace trireme { inline namespace v0 { namespace redis {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using Clock = std::chrono::steady_clock;
using Kind = Value::Kind;

Clock::time_point after(nanoseconds time) {
  const auto now = Clock::now();
  return time < Clock::time_point::max() - now ? now + time : Clock::time_point::max();
}

// kNone: the socket is ready.
Kind wait_for_socket(int fd, short events, Clock::time_point until) {
  const auto left = until - Clock::now();
  switch (events == POLLIN ? wait_readable(fd, left) : wait_writable(fd, left)) {
    case WaitResult::kReady:
      return Kind::kNone;
    case WaitResult::kTimeOver:
      return Kind::kTime;
    case WaitResult::kCancelled:
      break;
  }
  return Kind::kCancelled;
}

const char* sentence_of(Kind kind) {
  return kind == Kind::kTime ? "the cache took too long" : "the request was cancelled";
}

Kind kind_of(const redisReply& reply) {
  switch (reply.type) {
    case REDIS_REPLY_NIL:
      return Kind::kNone;
    case REDIS_REPLY_INTEGER:
      return Kind::kNumber;
    case REDIS_REPLY_ARRAY:
      return Kind::kList;
    case REDIS_REPLY_ERROR:
      return Kind::kError;
    default:
      return Kind::kText;
  }
}

bool has_text(const redisReply& reply) {
  return reply.type == REDIS_REPLY_STRING || reply.type == REDIS_REPLY_STATUS ||
         reply.type == REDIS_REPLY_ERROR;
}

}  // namespace

// --- Value ---

Value::Value(Kind failure, std::string why) : kind_(failure), why_(one_line(std::move(why))) {}
Value::Value(redisReply* reply) : kind_(kind_of(*reply)), reply_(reply) {}

void Value::Free::operator()(redisReply* reply) const { freeReplyObject(reply); }

std::string_view Value::text() const {
  if (reply_ == nullptr || !has_text(*reply_)) return why_;
  return {reply_->str, static_cast<size_t>(reply_->len)};
}

int64_t Value::number() const { return kind_ == Kind::kNumber ? reply_->integer : 0; }

size_t Value::size() const { return kind_ == Kind::kList ? reply_->elements : 0; }

std::string_view Value::text(size_t place) const {
  if (place >= size() || !has_text(*reply_->element[place])) return {};
  const redisReply& one = *reply_->element[place];
  return {one.str, static_cast<size_t>(one.len)};
}

// --- Connection ---

void Connection::Free::operator()(redisContext* context) const { redisFree(context); }

Result<Connection> Connection::connect(const Options& options, nanoseconds time_max) {
  blocking();
  const auto until = after(std::min(time_max, options.connect_time_max));
  Connection made(options.path.empty() ? redisConnectNonBlock(options.host.c_str(), options.port)
                                       : redisConnectUnixNonBlock(options.path.c_str()));
  made.command_time_max_ = options.command_time_max;
  const std::string problem = made.open(options, until);
  if (problem.empty()) return made;
  return Error{Error::Code::kSystem, "cannot connect to the cache: " + one_line(problem)};
}

std::string Connection::open(const Options& options, TimePoint until) {
  if (context_ == nullptr) return "out of memory";
  if (context_->err != 0) return context_->errstr;
  const Kind waited = wait_for_socket(context_->fd, POLLOUT, until);
  if (waited != Kind::kNone) return sentence_of(waited);
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(context_->fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return std::system_category().message(error);
  const auto run = [&](const std::vector<std::string_view>& words) {
    const Value value = command(words, until - Clock::now());
    return value ? std::string() : std::string(value.text());
  };
  std::string problem;
  if (!options.password.empty()) {
    problem = options.user.empty() ? run({"AUTH", options.password})
                                   : run({"AUTH", options.user, options.password});
  }
  if (problem.empty() && options.database != 0) {
    problem = run({"SELECT", std::to_string(options.database)});
  }
  return problem;
}

Value Connection::lose(Kind kind, std::string why) {
  is_lost_ = true;
  return Value(kind, std::move(why));
}

Value Connection::command(const std::vector<std::string_view>& words, nanoseconds time_max) {
  blocking();
  if (is_lost_) return Value(Kind::kConnection, "the connection is lost");
  std::vector<const char*> starts;
  std::vector<size_t> sizes;
  for (const std::string_view word : words) {
    starts.push_back(word.data() != nullptr ? word.data() : "");
    sizes.push_back(word.size());
  }
  char* bytes = nullptr;
  const auto count =
      redisFormatCommandArgv(&bytes, static_cast<int>(words.size()), starts.data(), sizes.data());
  if (count < 0) return Value(Kind::kError, "out of memory");
  const auto until = after(std::min(time_max, command_time_max_));
  Value value = ask({bytes, static_cast<size_t>(count)}, until);
  redisFreeCommand(bytes);
  return value;
}

Value Connection::ask(std::string_view bytes, TimePoint until) {
  while (!bytes.empty()) {
    // Not through hiredis: it would raise SIGPIPE.
    const ssize_t sent =
        ::send(context_->fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
      bytes.remove_prefix(static_cast<size_t>(sent));
    } else if (errno == EAGAIN) {
      const Kind waited = wait_for_socket(context_->fd, POLLOUT, until);
      if (waited != Kind::kNone) return lose(waited, sentence_of(waited));
    } else if (errno != EINTR) {
      return lose(Kind::kConnection, std::system_category().message(errno));
    }
  }
  while (true) {
    void* reply = nullptr;
    if (redisReaderGetReply(context_->reader, &reply) != REDIS_OK) {
      return lose(Kind::kConnection, context_->reader->errstr);
    }
    if (reply != nullptr) return Value(static_cast<redisReply*>(reply));
    const Kind waited = wait_for_socket(context_->fd, POLLIN, until);
    if (waited != Kind::kNone) return lose(waited, sentence_of(waited));
    if (redisBufferRead(context_.get()) != REDIS_OK) {
      return lose(Kind::kConnection, context_->errstr);
    }
  }
}

bool Connection::is_alive() const {
  if (is_lost_ || context_ == nullptr || context_->err != 0) return false;
  // Nothing may come between two commands, but the end of the stream.
  pollfd socket{.fd = context_->fd, .events = POLLIN, .revents = 0};
  return ::poll(&socket, 1, 0) == 0;
}

PoolOptions<Connection> pool_options(Options options) {
  return {
      .make = [options](nanoseconds time_max) { return Connection::connect(options, time_max); },
      .check = [](Connection& connection) { return connection.is_alive(); },
      .check_idle_time = nanoseconds(0),  // it costs a look at the socket
      .check_returned = [](Connection& connection) { return connection.is_alive(); }};
}

}}}  // namespace trireme::redis
