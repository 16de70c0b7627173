// Goal: a connection to MariaDB ends its waits in time and says what is known; a pool of them
// survives lost ones, on threads that come and go. Method: a private MariaDB.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "databases/database_test.h"
#include "support/client.h"
#include "support/test_server.h"
#include "support/wait.h"
#include "trireme/mariadb.h"

namespace {

using support::Client;
using support::TestServer;
using support::wait_until;
namespace tr = trireme;
namespace db = trireme::mariadb;
using Kind = db::Failure::Kind;
using namespace std::chrono_literals;

class MariaDbTest : public databases::DatabaseTest<databases::MariaDb> {
 protected:
  db::Options options() const {
    return {.path = server_->socket(), .user = "root", .database = "mysql"};
  }
  db::Connection connect() const { return databases::connect<db::Connection>(options()); }
};

TEST_F(MariaDbTest, AsksAndGetsRows) {
  auto database = connect();
  ASSERT_TRUE(database.query("CREATE TEMPORARY TABLE t(n INT, word TEXT)"));
  const db::Rows stored =
      database.query("INSERT INTO t VALUES(?, ?), (?, ?)", {"1", "one's", "2", std::nullopt});
  EXPECT_TRUE(stored) << stored.failure().message;
  EXPECT_EQ(stored.affected(), 2u);
  for (const std::vector<db::Param>& params : {std::vector<db::Param>{}, {db::Param("0")}}) {
    const db::Rows rows =
        database.query(params.empty() ? "SELECT n, word FROM t ORDER BY n"
                                      : "SELECT n, word FROM t WHERE n > ? ORDER BY n",
                       params);
    ASSERT_EQ(rows.size(), 2u) << rows.failure().message;
    EXPECT_EQ(rows.columns(), 2u);
    EXPECT_EQ(rows.text(0, 1), "one's");
    EXPECT_EQ(rows.text(1, 0), "2");
    EXPECT_TRUE(rows.is_null(1, 1));
    EXPECT_EQ(rows.text(9, 9), "");
  }
  const std::string large(1 << 20, 'x');
  EXPECT_EQ(database.query("SELECT ?", {large}).text(0, 0), large);
}

TEST_F(MariaDbTest, ErrorsAreValuesAndTheConnectionLives) {
  auto database = connect();
  const db::Rows none = database.query("SELECT * FROM nowhere");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.failure().kind, Kind::kStatement);
  EXPECT_EQ(none.failure().sqlstate, "42S02");
  EXPECT_EQ(none.failure().code, 1146u);
  EXPECT_EQ(none.failure().message, "Table 'mysql.nowhere' doesn't exist");
  EXPECT_EQ(database.query("SELECT ?, ?", {"1"}).failure().sqlstate, "07001");
  EXPECT_EQ(database.query("SELECT nothing WHERE ?", {"1"}).failure().kind, Kind::kStatement);
  EXPECT_TRUE(database.query("SELECT 1"));
}

TEST_F(MariaDbTest, SaysWhyItCannotConnect) {
  const auto nobody = db::Connection::connect({.path = "/nowhere", .user = "root"});
  ASSERT_FALSE(nobody.ok());
  EXPECT_NE(nobody.error().message.find("/nowhere"), std::string::npos) << nobody.error().message;
  const auto stranger = db::Connection::connect({.path = server_->socket(), .user = "stranger"});
  ASSERT_FALSE(stranger.ok());
  EXPECT_NE(stranger.error().message.find("Access denied"), std::string::npos);
}

TEST_F(MariaDbTest, AStatementThatTakesTooLongIsGivenUpAndEndsAtTheServer) {
  auto options = this->options();
  options.statement_time_max = 500ms;
  auto made = db::Connection::connect(options);
  ASSERT_TRUE(made.ok()) << made.error().message;
  const auto begin = support::Clock::now();
  const db::Rows late = made.value().query("SELECT SLEEP(600), 'late'", {}, 50ms);
  EXPECT_EQ(late.failure().kind, Kind::kTime);
  EXPECT_LT(support::Clock::now() - begin, 60s);
  EXPECT_FALSE(made.value().is_alive()) << "its answer could still come";
  auto other = connect();
  EXPECT_TRUE(wait_until([&] {
    return other
               .query(
                   "SELECT count(*) FROM information_schema.processlist "
                   "WHERE info LIKE 'SELECT SLEEP%late%'")
               .text(0, 0) == "0";
  }));
}

TEST_F(MariaDbTest, AServerThatHangsHoldsUpNobody) {
  auto database = connect();
  auto options = this->options();
  options.connect_time_max = 50ms;
  server_->hang();
  const auto begin = support::Clock::now();
  EXPECT_EQ(database.query("SELECT 1", {}, 50ms).failure().kind, Kind::kTime);
  EXPECT_FALSE(database.is_alive());
  EXPECT_FALSE(db::Connection::connect(options).ok());
  EXPECT_LT(support::Clock::now() - begin, 60s);
  server_->go_on();
  EXPECT_TRUE(connect().query("SELECT 1"));
}

TEST_F(MariaDbTest, AStatementEndsWithItsRequest) {
  tr::Pool<db::Connection> pool(db::pool_options(options()));
  TestServer server({.io_workers = 1});
  std::atomic<int> cancelled{0};
  server.listen([&](const tr::Request&) -> tr::Answer {
    auto database = pool.take();
    if (!database) return database.refusal();
    const db::Rows rows = database->query("SELECT SLEEP(20)");
    cancelled += rows.failure().kind == Kind::kCancelled;
    return "x";
  });
  server.start();
  Client client(server.url());
  ASSERT_TRUE(client.send("x\n"));
  ASSERT_TRUE(wait_until([&] { return pool.stats().in_use == 1; }));
  client.reset();
  EXPECT_TRUE(wait_until([&] { return cancelled == 1; }));
}

TEST_F(MariaDbTest, APoolRollsBackWhatWasLeftOpen) {
  tr::Pool<db::Connection> pool(db::pool_options(options()));
  ASSERT_TRUE(pool.take()->query("CREATE TABLE IF NOT EXISTS left_open(n INT) ENGINE=InnoDB"));
  {
    auto database = pool.take();
    EXPECT_TRUE(database->query("BEGIN"));
    EXPECT_TRUE(database->query("INSERT INTO left_open VALUES(1)"));
  }
  EXPECT_EQ(pool.take()->query("SELECT count(*) FROM left_open").text(0, 0), "0");
  EXPECT_EQ(pool.stats().made, 1u) << "all by one connection";
}

// Threads that end take what the library keeps for them along: the leak check looks.
TEST_F(MariaDbTest, IsUsedByThreadsThatComeAndGo) {
  auto options = db::pool_options(this->options());
  options.count_max = 3;
  tr::Pool<db::Connection> pool(std::move(options));
  std::atomic<int> answered{0};
  for (int round = 0; round < 3; ++round) {
    std::vector<std::thread> threads;
    for (int i = 0; i < 6; ++i) {
      threads.emplace_back([&] {
        auto database = pool.take();
        answered += database && database->query("SELECT ?", {"7"}).text(0, 0) == "7";
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_EQ(answered, 18);
  EXPECT_LE(pool.stats().made, 3u);
}

TEST_F(MariaDbTest, ALostConnectionIsReplaced) {
  tr::Pool<db::Connection> pool(db::pool_options(options()));
  auto one = pool.take(), other = pool.take();
  const std::string id(one->query("SELECT CONNECTION_ID()").text(0, 0));
  EXPECT_TRUE(other->query("KILL " + id));
  EXPECT_TRUE(wait_until([&] { return !one->is_alive(); }));
  const db::Rows lost = one->query("SELECT 1");
  EXPECT_EQ(lost.failure().kind, Kind::kConnection);
  EXPECT_FALSE(lost.failure().was_sent);
  one.give_back();
  EXPECT_TRUE(pool.take()->query("SELECT 1"));
}

}  // namespace
