// Goal: on every run of the tests, each database that is installed serves its component, and
// `collect`. Method: private servers, one case of each; all else is in the tests beside this one.
#include <gtest/gtest.h>

#include <future>
#include <string>
#include <vector>

#include "databases/database_test.h"
#ifdef TRIREME_HAS_SERVICES
#include "services/collect.h"
#endif
#ifdef TRIREME_HAS_POSTGRES
#include "trireme/postgres.h"
#endif
#ifdef TRIREME_HAS_MARIADB
#include "trireme/mariadb.h"
#endif
#ifdef TRIREME_HAS_REDIS
#include "trireme/redis.h"
#endif

namespace {

[[maybe_unused]] void expect_collect(const std::string& url) {
#ifdef TRIREME_HAS_SERVICES
  const auto opened = services::Collect::open({.path = url});
  ASSERT_TRUE(opened.ok()) << opened.error().message;
  const std::vector<std::vector<std::string>> talk = {
      {"d m 2 20", "OK"}, {"LAST d m", "2 20"}, {"RANGE d m 0 30", "1\n2 20"}};
  for (const auto& line : talk) {
    std::promise<std::string> answered;
    opened.value()->answer(
        line[0], [&](trireme::Answer answer) { answered.set_value(std::string(answer.text())); });
    EXPECT_EQ(answered.get_future().get(), line[1]);
  }
#else
  static_cast<void>(url);
#endif
}

#ifdef TRIREME_HAS_POSTGRES
using PostgresSmoke = databases::DatabaseTest<databases::Postgres>;

TEST_F(PostgresSmoke, AnswersThroughItsComponent) {
  auto database = trireme::postgres::Connection::connect({.url = server_->url()});
  ASSERT_TRUE(database.ok()) << database.error().message;
  EXPECT_EQ(database.value().query("SELECT $1::int + 1", {"41"}).text(0, 0), "42");
  expect_collect(server_->url());
}
#endif

#ifdef TRIREME_HAS_MARIADB
using MariaDbSmoke = databases::DatabaseTest<databases::MariaDb>;

TEST_F(MariaDbSmoke, AnswersThroughItsComponent) {
  auto database =
      trireme::mariadb::Connection::connect({.path = server_->socket(), .user = "root"});
  ASSERT_TRUE(database.ok()) << database.error().message;
  EXPECT_EQ(database.value().query("SELECT ? + 1", {"41"}).text(0, 0), "42");
  EXPECT_TRUE(database.value().query("CREATE DATABASE collect"));
  expect_collect("mysql://root@localhost/collect?socket=" + server_->socket());
}
#endif

#ifdef TRIREME_HAS_REDIS
using RedisSmoke = databases::DatabaseTest<databases::Redis>;

TEST_F(RedisSmoke, AnswersThroughItsComponent) {
  auto cache = trireme::redis::Connection::connect({.path = server_->socket()});
  ASSERT_TRUE(cache.ok()) << cache.error().message;
  EXPECT_EQ(cache.value().command({"SET", "key", "value"}).text(), "OK");
  EXPECT_EQ(cache.value().command({"GET", "key"}).text(), "value");
}
#endif

}  // namespace
