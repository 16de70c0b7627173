// Goal: `collect` keeps its promises on a database server: an `OK` means committed, none is lost
// when the server, the database or both are killed, and while the database is away rows are
// refused in time. Method: private servers, killed and started again; the real program.
#include "services/collect.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>
#include <map>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "databases/database_test.h"
#include "databases/private_server.h"
#include "support/collect_rounds.h"
#include "support/wait.h"
#ifdef TRIREME_HAS_POSTGRES
#include "trireme/postgres.h"
#endif
#ifdef TRIREME_HAS_MARIADB
#include "trireme/mariadb.h"
#endif

namespace services { namespace {

using support::wait_until;
using namespace std::chrono_literals;

template <class Connection>
void run(Connection& connection, const std::vector<std::string>& statements) {
  for (const std::string& statement : statements) {
    const auto rows = connection.query(statement);
    EXPECT_TRUE(rows) << rows.failure().message << ": " << statement.substr(0, 100);
  }
}

#ifdef TRIREME_HAS_POSTGRES
struct OnPostgres {
  using Server = databases::Postgres;
  static constexpr const char* kName = "PostgreSQL";
  static std::string url(const Server& server) { return server.url(); }
  static tr::postgres::Connection connect(const Server& server) {
    return databases::connect<tr::postgres::Connection>(tr::postgres::Options{.url = server.url()});
  }
  static std::vector<std::string> lock() { return {"BEGIN", "LOCK TABLE readings"}; }
  static constexpr const char* kUnlock = "COMMIT";
};
#endif

#ifdef TRIREME_HAS_MARIADB
struct OnMariaDb {
  using Server = databases::MariaDb;
  static constexpr const char* kName = "MariaDB";
  static std::string url(const Server& server) {
    return "mysql://root@localhost/collect?socket=" + server.socket();
  }
  static tr::mariadb::Connection connect(const Server& server) {
    auto made = databases::connect<tr::mariadb::Connection>(
        tr::mariadb::Options{.path = server.socket(), .user = "root"});
    run(made, {"CREATE DATABASE IF NOT EXISTS collect", "USE collect"});
    return made;
  }
  static std::vector<std::string> lock() { return {"LOCK TABLES readings WRITE"}; }
  static constexpr const char* kUnlock = "UNLOCK TABLES";
};
#endif

template <class Database>
void execute(const typename Database::Server& server, const std::vector<std::string>& statements) {
  auto connection = Database::connect(server);
  run(connection, statements);
}

template <class Database>
class CollectOn : public ::testing::Test {
 protected:
  void SetUp() override {
    server_ = databases::shared_server<typename Database::Server>();
    if (server_ == nullptr) {
      GTEST_SKIP() << Database::kName << " is missing: `./dev test --databases` installs it";
    }
    execute<Database>(*server_, {"DROP TABLE IF EXISTS readings"});
  }
  void TearDown() override {
    if (server_ != nullptr) server_->start();
  }

  std::string url() const { return Database::url(*server_); }
  void open() {
    collect_.reset();
    auto opened = Collect::open({.path = url()});
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    collect_ = std::move(opened.value());
  }
  std::string say(std::string_view line) {
    std::promise<std::string> answered;
    collect_->answer(line, [&](tr::Answer answer) {
      const bool is_error = answer.kind() == tr::Answer::Kind::kError;
      answered.set_value((is_error ? "ERR " : "") + std::string(answer.text()));
    });
    return answered.get_future().get();
  }

  typename Database::Server* server_ = nullptr;
  std::unique_ptr<Collect> collect_;
};

using Databases = ::testing::Types<
#ifdef TRIREME_HAS_POSTGRES
    OnPostgres
#endif
#if defined(TRIREME_HAS_POSTGRES) && defined(TRIREME_HAS_MARIADB)
    ,
#endif
#ifdef TRIREME_HAS_MARIADB
    OnMariaDb
#endif
    >;
struct Names {
  template <class Database>
  static std::string GetName(int) {
    return Database::kName;
  }
};
TYPED_TEST_SUITE(CollectOn, Databases, Names);

TYPED_TEST(CollectOn, SpeaksTheSameProtocol) {
  this->open();
  EXPECT_EQ(this->say("LAST d m"), "NONE");
  for (const char* line : {"d m 3 30", "d m 1 10", "d m 2 20", "d m 2.5 20", "D m 9 99"}) {
    EXPECT_EQ(this->say(line), "OK");
  }
  EXPECT_EQ(this->say("LAST d m"), "3 30");
  EXPECT_EQ(this->say("LAST D m"), "9 99");
  EXPECT_EQ(this->say("RANGE d m 10 30"), "4\n1 10\n2 20\n2.5 20\n3 30");
  EXPECT_EQ(this->say("RANGE d m 30 10"), "0");
  EXPECT_EQ(this->say("RANGE d m 20 30 -"), "3 -\n2 20\n2.5 20\n3 30");
  EXPECT_EQ(this->say("COUNT"), "5");
  int number = 0;
  for (const std::string value : {"0.1", "0.30000000000000004", "1.7976931348623157e+308",
                                  "-1e+300", "5e-324", "1e-07", "9007199254740992"}) {
    const std::string key = "number m" + std::to_string(number++);
    EXPECT_EQ(this->say(key + " " + value + " 1.25"), "OK");
    EXPECT_EQ(this->say("LAST " + key), value + " 1.25");
  }
  this->open();  // the table is there
  EXPECT_EQ(this->say("COUNT"), "12");
}

// The numbers of rows have gaps, which differ from database to database: a client only ever gives
// back the NEXT that it got.
TYPED_TEST(CollectOn, RangeInPagesFindsEachRowOnce) {
  this->open();
  constexpr int kRows = 25'000, kAPage = 10'000;
  std::string values;
  for (int row = 1; row <= kRows; ++row) {
    // Rows of one time fill the first page and more.
    const std::string time = row <= 15'000 ? "20" : "30";
    values +=
        (values.empty() ? "('d','m'," : ",('d','m',") + std::to_string(row) + "," + time + ")";
    if (row % 5'000 != 0) continue;
    const std::string insert = "INSERT INTO readings(device, metric, value, time) VALUES ";
    execute<TypeParam>(*this->server_,
                       {insert + values, "BEGIN", insert + "('d','m',0,20)", "ROLLBACK"});
    values.clear();
  }
  int row = 0;
  for (std::string place = "-", next; row < kRows; place = next) {
    std::istringstream page(this->say("RANGE d m 10 30 " + place));
    int count = 0;
    ASSERT_TRUE(page >> count >> next) << page.str();
    EXPECT_EQ(count, std::min(kAPage, kRows - row));
    for (int i = 0; i < count; ++i) {
      int value = 0, time = 0;
      ASSERT_TRUE(page >> value >> time);
      ASSERT_EQ(value, ++row);
    }
    EXPECT_EQ(next == "-", row == kRows) << next;
    ASSERT_GT(count, 0);
  }
}

TYPED_TEST(CollectOn, ManyClientsShareCommits) {
  this->open();
  constexpr int kClients = 16, kRows = 20;
  std::vector<std::thread> threads;
  for (int client = 0; client < kClients; ++client) {
    threads.emplace_back([&, client] {
      const std::string key = "device" + std::to_string(client) + " m ";
      for (int row = 1; row <= kRows; ++row) {
        EXPECT_EQ(this->say(key + std::to_string(row) + " " + std::to_string(row)), "OK");
        if (row % 5 != 0) continue;
        EXPECT_EQ(this->say("LAST device" + std::to_string(client) + " m"),
                  std::to_string(row) + " " + std::to_string(row))
            << "a query sees every earlier OK";
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(this->say("COUNT"), std::to_string(kClients * kRows));
  EXPECT_LT(this->collect_->counters().commits, uint64_t{kClients * kRows});
}

TYPED_TEST(CollectOn, ARowThatBreaksARuleOfTheOperatorsFailsAlone) {
  this->open();
  execute<TypeParam>(*this->server_,
                     {"CREATE UNIQUE INDEX one_each ON readings(device, metric, time)"});
  EXPECT_EQ(this->say("a m 1 1"), "OK");
  std::mutex mutex;
  std::map<std::string, std::string> answers;
  const auto count = [&] {
    const std::lock_guard lock(mutex);
    return answers.size();
  };
  const std::vector<std::string> lines = {"b m 1 1", "a m 2 1", "c m 1 1", "d m 1 1"};
  for (const std::string& line : lines) {
    this->collect_->answer(line, [&, line](tr::Answer answer) {
      const std::lock_guard lock(mutex);
      answers[line] = std::string(answer.text());
    });
  }
  ASSERT_TRUE(wait_until([&] { return count() == lines.size(); }));
  for (const std::string& line : lines) {
    if (line == "a m 2 1") {
      EXPECT_TRUE(answers[line].starts_with("not stored: ")) << answers[line];
    } else {
      EXPECT_EQ(answers[line], "OK") << line;
    }
  }
  EXPECT_EQ(this->say("COUNT"), "4");
}

TYPED_TEST(CollectOn, RefusesWhatItCannotUse) {
  execute<TypeParam>(*this->server_, {"CREATE TABLE readings(other INT)"});
  const auto foreign = Collect::open({.path = this->url()});
  ASSERT_FALSE(foreign.ok());
  EXPECT_TRUE(foreign.error().message.starts_with("cannot use the database: "))
      << foreign.error().message;
  execute<TypeParam>(*this->server_, {"DROP TABLE readings"});
  this->server_->kill();
  const auto away = Collect::open({.path = this->url()});
  ASSERT_FALSE(away.ok());
  EXPECT_NE(away.error().message.find("cannot connect to the database"), std::string::npos)
      << away.error().message;
}

TYPED_TEST(CollectOn, WhileTheDatabaseIsAwayRowsAreRefusedInTime) {
  this->open();
  EXPECT_EQ(this->say("d m 1 1"), "OK");
  this->server_->kill();
  for (int i = 0; i < 20; ++i) {
    const auto begin = support::Clock::now();
    const std::string answer = this->say("d m 2 2");
    EXPECT_TRUE(answer.starts_with("ERR ")) << answer;
    EXPECT_LT(support::Clock::now() - begin, 5s);
    EXPECT_TRUE(this->say("LAST d m").starts_with("ERR cannot read: "));
  }
  ASSERT_TRUE(this->server_->start());
  EXPECT_TRUE(wait_until([&] { return this->say("d m 3 3") == "OK"; })) << "by itself";
  EXPECT_TRUE(wait_until([&] { return this->say("LAST d m") == "3 3"; }));
}

// Somebody holds the table: a commit that takes ten seconds is given up.
TYPED_TEST(CollectOn, ACommitThatTakesTooLongIsUnknown) {
  this->open();
  EXPECT_EQ(this->say("d m 1 1"), "OK");
  {
    auto holds = TypeParam::connect(*this->server_);
    run(holds, TypeParam::lock());
    const std::string answer = this->say("d m 2 2");
    EXPECT_TRUE(answer.starts_with("ERR unknown whether it is stored: ")) << answer;
    run(holds, {TypeParam::kUnlock});
  }
  EXPECT_TRUE(wait_until([&] { return this->say("d m 3 3") == "OK"; }));
  EXPECT_EQ(this->say("LAST d m"), "3 3");
}

// The database is killed again and again; each row that was answered OK is there.
TYPED_TEST(CollectOn, NoOkIsLostWhenTheDatabaseIsKilled) {
  this->open();
  std::atomic<bool> ends{false};
  std::mutex mutex;
  std::map<std::string, int> last_ok;  // of each device, whose rows are 1, 2, 3 and so on
  std::vector<std::thread> writers;
  for (int writer = 0; writer < 4; ++writer) {
    writers.emplace_back([&, writer] {
      const std::string device = "writer" + std::to_string(writer);
      for (int row = 1; !ends;) {
        const std::string text = std::to_string(row);
        // What failed is sent again: it may be there twice, but not never.
        if (this->say(device + " m " + text + " " + text) != "OK") continue;
        const std::lock_guard lock(mutex);
        last_ok[device] = row++;
      }
    });
  }
  const auto all = [&] {
    const std::lock_guard lock(mutex);
    int sum = 0;
    for (const auto& [device, row] : last_ok) sum += row;
    return sum;
  };
  for (int round = 0; round < 3; ++round) {
    const int before = all();
    EXPECT_TRUE(wait_until([&] { return all() >= before + 40; }));
    this->server_->kill();
    ASSERT_TRUE(this->server_->start());
  }
  ends = true;
  for (std::thread& thread : writers) thread.join();
  for (const auto& [device, row] : last_ok) {
    for (int i = 1; i <= row; ++i) {
      const std::string time = std::to_string(i);
      EXPECT_NE(this->say("RANGE " + device + " m " + time + " " + time), "0")
          << device << " " << i;
    }
  }
}

TYPED_TEST(CollectOn, NoOkIsLostWhenTheServiceIsKilled) {
  support::CollectRounds rounds(this->url());
  for (int round = 0; round < 2; ++round) ASSERT_NO_FATAL_FAILURE(rounds.write_and_kill(8, round));
  rounds.expect_all_rows();
}

TYPED_TEST(CollectOn, NoOkIsLostWhenServiceAndDatabaseAreKilledTogether) {
  support::CollectRounds rounds(this->url());
  for (int round = 0; round < 4; ++round) {
    ASSERT_NO_FATAL_FAILURE(rounds.write_and_kill(8, round, [&] { this->server_->kill(); }));
    ASSERT_TRUE(this->server_->start());
  }
  rounds.expect_all_rows();
}

}  // namespace
}  // namespace services
