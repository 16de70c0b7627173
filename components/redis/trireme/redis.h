// Connections to Redis for handlers, by hiredis (docs/databases.md).
//
// Thread: any, one at a time for each connection, but no loop code. A call that waits gives its
// loop away first, and ends when its time is over or nobody wants the answer of the request any
// more.
//
//   tr::Pool<tr::redis::Connection> pool(tr::redis::pool_options({.host = "cache1"}));
//   ...
//   const auto value = cache->command({"GET", key});
//   if (value.kind() == tr::redis::Value::Kind::kText) return std::string(value.text());
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "trireme/pool.h"
#include "trireme/result.h"

struct redisContext;  // of hiredis
struct redisReply;

namespace trireme { inline namespace v0 { namespace redis {

struct Options {
  std::string host = "127.0.0.1";
  uint16_t port = 6379;
  std::string path{};      // of a unix socket, instead of host and port
  std::string user{};      // of an ACL; empty: the default user
  std::string password{};  // empty: no AUTH
  int database = 0;
  std::chrono::nanoseconds connect_time_max = std::chrono::seconds(5);
  std::chrono::nanoseconds command_time_max = std::chrono::seconds(5);
};

// What Redis has answered, or why it has not. Owns its memory; moves.
class Value {
 public:
  enum class Kind : uint8_t {
    kNone,        // nil: there is no such key
    kText,        // a string, of bulk or of status
    kNumber,      // an integer
    kList,        // an array
    kError,       // Redis has refused the command. The connection is good
    kConnection,  // lost: whether the command was done is not known
    kTime,        // it took too long; the connection is lost, for its answer may still come
    kCancelled,   // nobody wants the answer of the request any more; likewise
  };

  Value(Kind failure, std::string why);
  explicit Value(redisReply* reply);  // owns it

  // Any thread. False: the command has failed, and text() is a sentence.
  explicit operator bool() const { return kind_ < Kind::kError; }
  Kind kind() const { return kind_; }
  // Any thread. Borrowed from this object. Empty unless it is a text or a failure.
  std::string_view text() const;
  // Any thread. 0 unless it is a number.
  int64_t number() const;
  // Any thread. Of a list: how many, and the text of one, empty where it is none.
  size_t size() const;
  std::string_view text(size_t place) const;

 private:
  struct Free {
    void operator()(redisReply* reply) const;
  };
  Kind kind_;
  std::string why_{};
  std::unique_ptr<redisReply, Free> reply_{};
};

// One connection. Moves.
class Connection {
 public:
  // Any thread. Waits for `connect_time_max` at most, or for `time_max` if that is shorter.
  static Result<Connection> connect(
      const Options& options, std::chrono::nanoseconds time_max = std::chrono::nanoseconds::max());

  // Any thread. Sends one command and waits for its answer, for `command_time_max` at most, or for
  // `time_max` if that is shorter. Words may hold any bytes.
  Value command(const std::vector<std::string_view>& words,
                std::chrono::nanoseconds time_max = std::chrono::nanoseconds::max());

  // Any thread. False: it is lost. Asks the socket, and never waits.
  bool is_alive() const;

 private:
  using TimePoint = std::chrono::steady_clock::time_point;
  struct Free {
    void operator()(redisContext* context) const;
  };
  explicit Connection(redisContext* context) : context_(context) {}

  // Empty, or why it failed.
  std::string open(const Options& options, TimePoint until);
  Value ask(std::string_view bytes, TimePoint until);
  Value lose(Value::Kind kind, std::string why);

  std::unique_ptr<redisContext, Free> context_;
  std::chrono::nanoseconds command_time_max_{0};
  bool is_lost_ = false;
};

// Any thread. Options of a pool of such connections. The functions are set; all else is yours.
PoolOptions<Connection> pool_options(Options options);

}}}  // namespace trireme::redis
