// Goal: a connection to Redis ends its waits in time, and any bytes pass. Method: a private Redis.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>

#include "databases/database_test.h"
#include "support/client.h"
#include "support/test_server.h"
#include "support/wait.h"
#include "trireme/redis.h"

namespace {

using databases::Redis;
using support::Client;
using support::TestServer;
using support::wait_until;
namespace tr = trireme;
namespace db = trireme::redis;
using Kind = db::Value::Kind;
using namespace std::chrono_literals;

class RedisTest : public databases::DatabaseTest<databases::Redis> {
 protected:
  db::Options options() const { return {.path = server_->socket()}; }
  db::Connection connect() const { return databases::connect<db::Connection>(options()); }
};

TEST_F(RedisTest, EveryKindOfValue) {
  auto cache = connect();
  const std::string bytes("a\0b\r\n$1 c", 9);
  EXPECT_EQ(cache.command({"SET", "key", bytes}).text(), "OK");
  EXPECT_EQ(cache.command({"GET", "key"}).text(), bytes);
  EXPECT_EQ(cache.command({"GET", "none"}).kind(), Kind::kNone);
  EXPECT_EQ(cache.command({"INCRBY", "number", "41"}).number(), 41);
  EXPECT_EQ(cache.command({"SET", "empty", ""}).text(), "OK");
  EXPECT_EQ(cache.command({"GET", "empty"}).kind(), Kind::kText);
  const db::Value list = cache.command({"MGET", "key", "none", "number"});
  ASSERT_EQ(list.kind(), Kind::kList);
  ASSERT_EQ(list.size(), 3u);
  EXPECT_EQ(list.text(0), bytes);
  EXPECT_EQ(list.text(1), "");
  EXPECT_EQ(list.text(2), "41");
  EXPECT_EQ(list.text(3), "");
  const db::Value refused = cache.command({"GET"});
  EXPECT_FALSE(refused);
  EXPECT_EQ(refused.kind(), Kind::kError);
  EXPECT_TRUE(refused.text().starts_with("ERR wrong number of arguments")) << refused.text();
  EXPECT_TRUE(cache.is_alive());
  const std::string large(3 << 20, 'x');
  EXPECT_TRUE(cache.command({"SET", "large", large}));
  EXPECT_EQ(cache.command({"GET", "large"}).text(), large);
}

TEST_F(RedisTest, SaysWhyItCannotConnect) {
  const auto nobody = db::Connection::connect({.path = "/nowhere"});
  ASSERT_FALSE(nobody.ok());
  EXPECT_EQ(nobody.error().message, "cannot connect to the cache: No such file or directory");
  auto options = this->options();
  options.password = "secret";
  EXPECT_FALSE(db::Connection::connect(options).ok()) << "no password is set";
  options.password.clear();
  options.database = 9'999;
  EXPECT_FALSE(db::Connection::connect(options).ok());
}

TEST_F(RedisTest, ACommandThatTakesTooLongIsGivenUp) {
  auto cache = connect();
  const db::Value late = cache.command({"BLPOP", "nothing", "0"}, 20ms);
  EXPECT_EQ(late.kind(), Kind::kTime);
  EXPECT_FALSE(cache.is_alive()) << "its answer could still come";
  EXPECT_EQ(cache.command({"PING"}).kind(), Kind::kConnection);
}

TEST_F(RedisTest, AServerThatHangsHoldsUpNobody) {
  auto cache = connect();
  auto options = this->options();
  options.database = 1;  // so that it says a word
  options.connect_time_max = 50ms;
  server_->hang();
  const auto begin = support::Clock::now();
  EXPECT_EQ(cache.command({"PING"}, 50ms).kind(), Kind::kTime);
  EXPECT_FALSE(db::Connection::connect(options).ok());
  EXPECT_LT(support::Clock::now() - begin, 60s);
  server_->go_on();
  EXPECT_EQ(connect().command({"PING"}).text(), "PONG");
}

TEST_F(RedisTest, ACommandEndsWithItsRequest) {
  auto options = this->options();
  options.command_time_max = 1h;
  tr::Pool<db::Connection> pool(db::pool_options(options));
  TestServer server({.io_workers = 1});
  std::atomic<int> cancelled{0};
  server.listen([&](const tr::Request&) -> tr::Answer {
    auto cache = pool.take();
    if (!cache) return cache.refusal();
    cancelled += cache->command({"BLPOP", "nothing", "0"}).kind() == Kind::kCancelled;
    return "x";
  });
  server.start();
  Client client(server.url());
  ASSERT_TRUE(client.send("x\n"));
  ASSERT_TRUE(wait_until([&] { return pool.stats().in_use == 1; }));
  client.reset();
  EXPECT_TRUE(wait_until([&] { return cancelled == 1; }));
}

TEST_F(RedisTest, ALostConnectionIsReplaced) {
  tr::Pool<db::Connection> pool(db::pool_options(options()));
  auto one = pool.take(), other = pool.take();
  const std::string id = std::to_string(one->command({"CLIENT", "ID"}).number());
  EXPECT_EQ(other->command({"CLIENT", "KILL", "ID", id}).number(), 1);
  EXPECT_TRUE(wait_until([&] { return !one->is_alive(); }));
  one.give_back();
  EXPECT_EQ(pool.stats().unhealthy, 1u);
  EXPECT_EQ(pool.take()->command({"PING"}).text(), "PONG");
}

}  // namespace
