// The rows of `collect` in a database server: what PostgreSQL and MariaDB have in common.
//
// Part of `collect`. `Sql` says what is different: the connection, and its SQL.
#pragma once

#include <chrono>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "services/collect_store.h"
#include "services/collect_words.h"
#include "trireme/pool.h"

namespace services {

// What `Sql` has: Connection, Rows, Failure, Param and Kind of its component;
//   pool_options()                   of connections
//   prepare(connection)              makes the table: empty, or a sentence
//   transaction(rows)                stores rows and commits them, in one statement for query()
//   is_of_a_row(failure)             one of several rows may be its cause
//   last(), range(query), count()    {SQL, parameters}: rows of value, time, number
template <class Sql>
class SqlStore final : public CollectStore {
 public:
  using Connection = typename Sql::Connection;
  using Rows = typename Sql::Rows;
  using Failure = typename Sql::Failure;
  using Kind = typename Failure::Kind;
  using Query = std::pair<std::string, std::vector<std::optional<std::string>>>;

  explicit SqlStore(Sql sql)
      : sql_(std::move(sql)), writer_(options(1)), readers_(options(kReadersCount)) {}

  // Empty, or a sentence.
  std::string open() {
    auto database = writer_.take();
    return database ? sql_.prepare(*database) : database.problem();
  }

  BatchOutcome commit_blocking(const std::vector<Row>& rows) override {
    std::optional<BatchOutcome> outcome = store(rows);
    if (outcome) return std::move(*outcome);
    outcome.emplace();
    for (size_t i = 0; i < rows.size(); ++i) {  // so that none is harmed by its neighbours
      const Outcome one = store({rows[i]})->all;
      if (one.kind != Outcome::Kind::kStored) outcome->except[i] = one;
    }
    return std::move(*outcome);
  }

  tr::Result<std::optional<Reading>> last_blocking(std::string_view device,
                                                   std::string_view metric) override {
    const Rows rows = ask(sql_.last(std::string(device), std::string(metric)));
    if (!rows) return error_of(rows.failure());
    return rows.size() == 0 ? std::nullopt : std::optional(reading_of(rows, 0));
  }

  tr::Result<std::vector<Reading>> range_blocking(const RangeQuery& query) override {
    const Rows rows = ask(sql_.range(query));
    if (!rows) return error_of(rows.failure());
    std::vector<Reading> readings;
    readings.reserve(rows.size());
    for (size_t i = 0; i < rows.size(); ++i) readings.push_back(reading_of(rows, i));
    return readings;
  }

  tr::Result<uint64_t> count_blocking() override {
    const Rows rows = ask({"SELECT count(*) FROM readings", {}});
    if (!rows) return error_of(rows.failure());
    return std::strtoull(std::string(rows.text(0, 0)).c_str(), nullptr, 10);
  }

 private:
  // Rows that are not committed by then have an unknown fate.
  static constexpr std::chrono::seconds kCommitTimeMax{10};
  static constexpr size_t kReadersCount = 8;
  // Of a transaction that the database has told to begin again.
  static constexpr int kAttemptsMax = 4;

  tr::PoolOptions<Connection> options(size_t count_max) const {
    auto options = sql_.pool_options();
    options.count_max = count_max;
    return options;
  }

  // Nothing: one of several rows has failed.
  std::optional<BatchOutcome> store(const std::vector<Row>& rows) {
    const std::string transaction = sql_.transaction(rows);
    for (int attempt = 1;; ++attempt) {
      auto database = writer_.take(kCommitTimeMax);
      if (!database) return BatchOutcome{not_stored(database.problem())};
      const Rows done = database->query(transaction, {}, kCommitTimeMax);
      if (done) return BatchOutcome();
      const Failure& failure = done.failure();
      const bool is_refused = failure.kind == Kind::kStatement;
      if (is_refused && sql_.is_of_a_row(failure) && rows.size() > 1) return std::nullopt;
      // A serialization failure or a deadlock: nothing was stored. Or the connection was closed
      // while it was idle: a new one, once.
      const bool may_repeat = is_refused
                                  ? failure.sqlstate == "40001" || failure.sqlstate == "40P01"
                                  : !failure.was_sent && attempt == 1;
      if (!is_refused) database.throw_away();
      if (may_repeat && attempt < kAttemptsMax) continue;
      const bool is_known = is_refused ? failure.sqlstate != "40003" : !failure.was_sent;
      return BatchOutcome{is_known ? not_stored(failure.message) : unknown(failure.message)};
    }
  }

  Rows ask(const Query& query) {
    for (int attempt = 1;; ++attempt) {
      auto database = readers_.take();
      if (!database) {
        Failure failure;
        failure.kind = Kind::kTime;
        failure.message =
            database.problem().empty() ? "too many queries are at work" : database.problem();
        return Rows(std::move(failure));
      }
      Rows rows = database->query(query.first, query.second);
      // A query may be repeated: the database was started anew, or another one has taken over.
      if (rows || rows.failure().kind != Kind::kConnection || attempt == 2) return rows;
      database.throw_away();
    }
  }

  static tr::Error error_of(const Failure& failure) {
    return {tr::Error::Code::kSystem, failure.message};
  }
  static Reading reading_of(const Rows& rows, size_t row) {
    Reading reading;
    reading.value = parse_number(rows.text(row, 0)).value_or(0);
    reading.time = parse_number(rows.text(row, 1)).value_or(0);
    reading.number = std::strtoll(std::string(rows.text(row, 2)).c_str(), nullptr, 10);
    return reading;
  }

  Sql sql_;
  tr::Pool<Connection> writer_, readers_;
};

// VALUES of rows: names need no escapes, numbers are in quotes.
inline std::string values_of(const std::vector<Row>& rows) {
  std::string values;
  for (const Row& row : rows) {
    values += values.empty() ? "('" : ",('";
    values += row.device + "','" + row.metric + "','";
    append_number(values, row.value);
    values += "','";
    append_number(values, row.time);
    values += "')";
  }
  return values;
}

inline std::string text_of(double number) {
  std::string text;
  append_number(text, number);
  return text;
}

template <class Sql>
tr::Result<std::unique_ptr<CollectStore>> open_sql(Sql sql) {
  auto store = std::make_unique<SqlStore<Sql>>(std::move(sql));
  if (const std::string problem = store->open(); !problem.empty()) {
    return tr::Error{tr::Error::Code::kSystem, "cannot use the database: " + problem};
  }
  return std::unique_ptr<CollectStore>(std::move(store));
}

}  // namespace services
