#include "services/postgres_store.h"

#include <optional>
#include <utility>
#include <vector>

#include "services/sql_store.h"
#include "trireme/postgres.h"

namespace services {
namespace {

namespace pg = tr::postgres;

constexpr const char* kInsert = "INSERT INTO readings(device, metric, value, time) VALUES ";

class PostgresSql {
 public:
  using Connection = pg::Connection;
  using Rows = pg::Rows;
  using Failure = pg::Failure;
  using Query = std::pair<std::string, std::vector<pg::Param>>;

  explicit PostgresSql(std::string url) : url_(std::move(url)) {}

  tr::PoolOptions<Connection> pool_options() const { return pg::pool_options({.url = url_}); }

  std::string prepare(Connection& database) {
    if (const std::string problem = make_table(database); !problem.empty()) return problem;
    // Whether it takes rows: a standby does not, nor does one that has given no rights.
    const Rows tried =
        database.query(std::string("BEGIN;") + kInsert + "('start','start','0','0');ROLLBACK");
    if (!tried && (tried.failure().kind != Failure::Kind::kStatement ||
                   tried.failure().sqlstate.starts_with("25") ||
                   tried.failure().sqlstate.starts_with("42"))) {
      return "it cannot be written: " + tried.failure().message;
    }
    if (!tried) database.query("ROLLBACK");
    // Then COMMIT would not wait for the disk.
    const Rows level = database.query("SHOW synchronous_commit");
    if (level && level.text(0, 0) == "off") begin_ += "SET LOCAL synchronous_commit=on;";
    return {};
  }

  std::string transaction(const std::vector<Row>& rows) const {
    return begin_ + kInsert + values_of(rows) + ";COMMIT";
  }

  // Data, integrity, a view with a check, a trigger: rules that the operator has given the table.
  static bool is_of_a_row(const Failure& failure) {
    const std::string group = failure.sqlstate.substr(0, 2);
    return group == "22" || group == "23" || group == "44" || group == "P0";
  }

  static Query last(std::string device, std::string metric) {
    return {
        "SELECT value, time, number FROM readings WHERE device = $1 AND metric = $2 "
        "AND time < $3 ORDER BY time DESC, number DESC LIMIT 1",
        {std::move(device), std::move(metric), text_of(kTimeEnd)}};
  }
  static Query range(const RangeQuery& query) {
    return {
        "SELECT value, time, number FROM readings WHERE device = $1 AND metric = $2 "
        "AND (time, number) > ($3::float8, $4::int8) AND time <= $5 "
        "ORDER BY time, number LIMIT $6::int",
        {std::string(query.device), std::string(query.metric), text_of(query.from),
         std::to_string(query.after), text_of(query.to), std::to_string(query.rows_max)}};
  }

 private:
  // Looks first: to make a table needs rights that a service may not have.
  static std::string make_table(Connection& database) {
    constexpr const char* kLook =
        "SELECT device, metric, value, time, number FROM readings LIMIT 0";
    Rows found = database.query(kLook);
    // Twice: services that start together make the same table, and one of them fails.
    for (int i = 0; i < 2 && !found && found.failure().sqlstate == "42P01"; ++i) {
      Rows made = database.query(
          "CREATE TABLE IF NOT EXISTS readings("
          "number BIGINT GENERATED ALWAYS AS IDENTITY, device TEXT NOT NULL, metric TEXT NOT NULL,"
          "value DOUBLE PRECISION NOT NULL, time DOUBLE PRECISION NOT NULL);"
          "CREATE INDEX IF NOT EXISTS readings_by_time ON readings(device, metric, time, number)");
      found = database.query(kLook);
      if (!made && !found) found = std::move(made);
    }
    return found ? "" : found.failure().message;
  }

  std::string url_;
  std::string begin_ = "BEGIN;";
};

}  // namespace

tr::Result<std::unique_ptr<CollectStore>> open_postgres(const std::string& url) {
  return open_sql(PostgresSql(url));
}

}  // namespace services
