// Goal: a connection to PostgreSQL ends its waits in time and says what is known; a pool of them
// survives the end of the database. Method: a private PostgreSQL.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "databases/database_test.h"
#include "support/client.h"
#include "support/test_server.h"
#include "support/wait.h"
#include "trireme/postgres.h"

namespace {

using support::Client;
using support::TestServer;
using support::wait_until;
namespace tr = trireme;
namespace pg = trireme::postgres;
using Kind = pg::Failure::Kind;
using namespace std::chrono_literals;

class PostgresTest : public databases::DatabaseTest<databases::Postgres> {
 protected:
  pg::Options options() const { return {.url = server_->url()}; }
  pg::Connection connect() const { return databases::connect<pg::Connection>(options()); }
  // How many statements run that have this text in them.
  std::string running(const std::string& text) const {
    auto other = connect();
    const pg::Rows rows = other.query(
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE $1 "
        "AND pid <> pg_backend_pid()",
        {"%" + text + "%"});
    return std::string(rows.text(0, 0));
  }
};

TEST_F(PostgresTest, AsksAndGetsRows) {
  auto database = connect();
  ASSERT_TRUE(database.query("CREATE TEMP TABLE t(n INT, word TEXT)"));
  const pg::Rows stored =
      database.query("INSERT INTO t VALUES($1, $2), ($3, $4)", {"1", "one's", "2", std::nullopt});
  EXPECT_TRUE(stored) << stored.failure().message;
  EXPECT_EQ(stored.affected(), 2u);
  EXPECT_EQ(stored.size(), 0u);
  const pg::Rows rows = database.query("SELECT n, word FROM t ORDER BY n");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows.columns(), 2u);
  EXPECT_EQ(rows.text(0, 1), "one's");
  EXPECT_EQ(rows.text(1, 0), "2");
  EXPECT_TRUE(rows.is_null(1, 1));
  EXPECT_EQ(rows.text(9, 9), "");
  EXPECT_EQ(database.query("SELECT " + pg::literal("a'b\\c")).text(0, 0), "a'b\\c");
  EXPECT_EQ(database.query("SELECT 1; SELECT 2").text(0, 0), "2") << "the last of several";
  const std::string large(3 << 20, 'x');
  EXPECT_EQ(database.query("SELECT $1::text", {large}).text(0, 0), large);
}

TEST_F(PostgresTest, ErrorsAreValuesAndTheConnectionLives) {
  auto database = connect();
  const pg::Rows none = database.query("SELECT * FROM nowhere");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.failure().kind, Kind::kStatement);
  EXPECT_EQ(none.failure().sqlstate, "42P01");
  EXPECT_EQ(none.failure().message, "relation \"nowhere\" does not exist");
  EXPECT_EQ(none.size(), 0u);
  EXPECT_EQ(database.query("SELECT 1; SELECT 1/0; SELECT 2").failure().sqlstate, "22012");
  EXPECT_EQ(database.query("COPY pg_class TO STDOUT").failure().kind, Kind::kConnection);
  EXPECT_FALSE(database.is_alive()) << "COPY is not for query()";
  EXPECT_TRUE(connect().query("SELECT 1"));
}

TEST_F(PostgresTest, SaysWhyItCannotConnect) {
  const auto nobody = pg::Connection::connect({.url = "postgres:///x?host=/nowhere"});
  ASSERT_FALSE(nobody.ok());
  EXPECT_NE(nobody.error().message.find("No such file or directory"), std::string::npos);
  EXPECT_EQ(nobody.error().message.find('\n'), std::string::npos);
  const auto wrong = pg::Connection::connect({.url = "postgres://%zz"});
  EXPECT_FALSE(wrong.ok());
}

// A listener whose queue is full is as silent as a machine that is off.
TEST_F(PostgresTest, AHostThatIsDarkLeavesTimeForTheNext) {
  const int dark = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* const name = reinterpret_cast<sockaddr*>(&address);
  ASSERT_EQ(::bind(dark, name, size), 0);
  ASSERT_EQ(::listen(dark, 0), 0);
  ASSERT_EQ(::getsockname(dark, name, &size), 0);
  std::vector<int> queue;
  for (int i = 0; i < 4; ++i) {
    queue.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    ::connect(queue.back(), name, size);
  }
  const auto made = pg::Connection::connect(
      {.url = "postgres:///postgres?host=127.0.0.1," + server_->folder() +
              "&port=" + std::to_string(ntohs(address.sin_port)) + ",5432&user=trireme",
       .connect_time_max = 4s});
  EXPECT_TRUE(made.ok()) << made.error().message;
  for (const int fd : queue) ::close(fd);
  ::close(dark);
}

TEST_F(PostgresTest, AStatementThatTakesTooLongIsCancelledAtTheServer) {
  auto database = connect();
  const auto begin = support::Clock::now();
  const pg::Rows late = database.query("SELECT pg_sleep(600), 'late'", {}, 50ms);
  EXPECT_EQ(late.failure().kind, Kind::kTime);
  EXPECT_LT(support::Clock::now() - begin, 60s);
  EXPECT_TRUE(wait_until([&] { return running("'late'") == "0"; }));
  EXPECT_TRUE(database.query("SELECT 1")) << "the connection goes on";
  // Of whoever dies without a word, the server ends it.
  auto limited = pg::Connection::connect({.url = server_->url(), .statement_time_max = 1h});
  EXPECT_EQ(limited.value().query("SHOW statement_timeout").text(0, 0), "1h");
}

// Its connections live, but nobody takes new ones, such as that of PQcancel.
TEST_F(PostgresTest, AServerThatHangsHoldsUpNobody) {
  auto database = connect();
  server_->hang();
  const auto begin = support::Clock::now();
  const pg::Rows late = database.query("SELECT pg_sleep(600), 'hangs'", {}, 50ms);
  EXPECT_EQ(late.failure().kind, Kind::kTime);
  EXPECT_FALSE(database.is_alive()) << "who knows what will be cancelled";
  const auto none = pg::Connection::connect({.url = server_->url(), .connect_time_max = 50ms});
  EXPECT_FALSE(none.ok());
  EXPECT_LT(support::Clock::now() - begin, 60s);
  server_->go_on();
  EXPECT_TRUE(wait_until([&] { return running("'hangs'") == "0"; }));
}

TEST_F(PostgresTest, AStatementEndsWithItsRequest) {
  tr::Pool<pg::Connection> pool(pg::pool_options(options()));
  TestServer server({.io_workers = 1});
  std::atomic<int> cancelled{0};
  server.listen([&](const tr::Request&) -> tr::Answer {
    auto database = pool.take();
    if (!database) return database.refusal();
    const pg::Rows rows = database->query("SELECT pg_sleep(600), 'gone'");
    cancelled += rows.failure().kind == Kind::kCancelled;
    return "x";
  });
  server.start();
  Client client(server.url());
  ASSERT_TRUE(client.send("x\n"));
  ASSERT_TRUE(wait_until([&] { return running("'gone'") == "1"; }));
  client.reset();
  EXPECT_TRUE(wait_until([&] { return cancelled == 1; }));
  EXPECT_TRUE(wait_until([&] { return running("'gone'") == "0"; }));
}

// As examples/databases/many_clients.cc.
TEST_F(PostgresTest, AThousandClientsShareSixteenConnections) {
  constexpr size_t kClients = 1'000;
  auto pooled = pg::pool_options(options());
  pooled.count_max = 16;
  pooled.wait_time_max = 1h;
  tr::Pool<pg::Connection> pool(std::move(pooled));
  TestServer server({.data_workers = 200});
  server.listen([&](const tr::Request& request) -> tr::Answer {
    auto database = pool.take();
    if (!database) return database.refusal();
    const auto rows = database->query("SELECT $1::text", {request.own()});
    return rows ? tr::Answer(std::string(rows.text(0, 0))) : tr::error(rows.failure().message);
  });
  server.start();
  std::vector<std::unique_ptr<Client>> clients;
  for (size_t i = 0; i < kClients; ++i) {
    clients.push_back(std::make_unique<Client>(server.url()));
    ASSERT_TRUE(clients.back()->send(std::to_string(i) + "\n"));
  }
  for (size_t i = 0; i < kClients; ++i) EXPECT_EQ(clients[i]->line(), std::to_string(i));
  EXPECT_LE(pool.stats().made, 16u);
  EXPECT_EQ(pool.stats().taken, kClients);
  EXPECT_EQ(pool.stats().busy, 0u);
}

TEST_F(PostgresTest, APoolRollsBackWhatWasLeftOpen) {
  tr::Pool<pg::Connection> pool(pg::pool_options(options()));
  ASSERT_TRUE(pool.take()->query("CREATE TABLE IF NOT EXISTS left_open(n INT)"));
  {
    auto database = pool.take();
    database->query("BEGIN; INSERT INTO left_open VALUES(1)");
  }
  {
    auto database = pool.take();
    database->query("BEGIN");
    EXPECT_FALSE(database->query("SELECT 1/0"));
  }
  EXPECT_EQ(pool.take()->query("SELECT count(*) FROM left_open").text(0, 0), "0");
  EXPECT_EQ(pool.stats().made, 1u) << "all by one connection";
}

TEST_F(PostgresTest, ALostConnectionIsReplacedAndTheOthersStay) {
  tr::Pool<pg::Connection> pool(pg::pool_options(options()));
  auto one = pool.take(), other = pool.take();
  const std::string pid(one->query("SELECT pg_backend_pid()").text(0, 0));
  other->query("SELECT pg_terminate_backend(" + pid + ")");
  EXPECT_TRUE(wait_until([&] { return !one->is_alive(); }));
  const pg::Rows lost = one->query("SELECT 1");
  EXPECT_EQ(lost.failure().kind, Kind::kConnection);
  EXPECT_FALSE(lost.failure().was_sent);
  one.give_back();
  EXPECT_EQ(pool.stats().unhealthy, 1u);
  EXPECT_TRUE(pool.take()->query("SELECT 1"));
  EXPECT_TRUE(other->query("SELECT 1"));
}

TEST_F(PostgresTest, WhatIsCutInTheMidstOfAStatementIsNotKnown) {
  auto database = connect();
  const std::string pid(database.query("SELECT pg_backend_pid()").text(0, 0));
  std::thread ends([&] {
    EXPECT_TRUE(wait_until([&] { return running("'cut'") == "1"; }));
    connect().query("SELECT pg_terminate_backend(" + pid + ")");
  });
  const pg::Rows cut = database.query("SELECT pg_sleep(600), 'cut'");
  ends.join();
  EXPECT_EQ(cut.failure().kind, Kind::kConnection);
  EXPECT_TRUE(cut.failure().was_sent);
  EXPECT_FALSE(database.is_alive());
}

}  // namespace
