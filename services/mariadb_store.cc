#include "services/mariadb_store.h"

#include <charconv>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "services/sql_store.h"
#include "trireme/mariadb.h"

namespace services {
namespace {

namespace db = tr::mariadb;

class MariaDbSql {
 public:
  using Connection = db::Connection;
  using Rows = db::Rows;
  using Failure = db::Failure;
  using Query = std::pair<std::string, std::vector<db::Param>>;

  explicit MariaDbSql(db::Options options) : options_(std::move(options)) {}

  tr::PoolOptions<Connection> pool_options() const { return db::pool_options(options_); }

  std::string prepare(Connection& database) const {
    const Rows made = database.query(
        "CREATE TABLE IF NOT EXISTS readings("
        "number BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,"
        "device VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,"
        "metric VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,"
        "value DOUBLE NOT NULL, time DOUBLE NOT NULL,"
        "KEY readings_by_time(device, metric, time, number)) ENGINE=InnoDB");
    const Rows found =
        database.query("SELECT device, metric, value, time, number FROM readings LIMIT 0");
    if (!found) return (made ? found : made).failure().message;
    const Rows level = database.query("SELECT @@innodb_flush_log_at_trx_commit, @@read_only");
    if (level && level.text(0, 0) != "1") {
      return "its innodb_flush_log_at_trx_commit is " + std::string(level.text(0, 0)) +
             ", not 1: a commit would not be on the disk";
    }
    if (level && level.text(0, 1) != "0") return "it cannot be written: it is read-only";
    return {};
  }

  // One statement commits by itself.
  static std::string transaction(const std::vector<Row>& rows) {
    return "INSERT INTO readings(device, metric, value, time) VALUES " + values_of(rows);
  }

  // Data, integrity, a view with a check, a trigger: rules that the operator has given the table.
  static bool is_of_a_row(const Failure& failure) {
    const std::string group = failure.sqlstate.substr(0, 2);
    return group == "22" || group == "23" || group == "44" || group == "45";
  }

  static Query last(std::string device, std::string metric) {
    return {
        "SELECT value, time, number FROM readings WHERE device = ? AND metric = ? "
        "AND time < ? ORDER BY time DESC, number DESC LIMIT 1",
        {std::move(device), std::move(metric), text_of(kTimeEnd)}};
  }
  // Not (time, number) > (?, ?): that would read the whole index.
  static Query range(const RangeQuery& query) {
    const std::string from = text_of(query.from), after = std::to_string(query.after);
    return {
        "SELECT value, time, number FROM readings WHERE device = ? AND metric = ? "
        "AND time >= ? AND time <= ? AND (time > ? OR number > ?) "
        "ORDER BY time, number LIMIT " +
            std::to_string(query.rows_max),
        {std::string(query.device), std::string(query.metric), from, text_of(query.to), from,
         after}};
  }

 private:
  db::Options options_;
};

// Splits "a:b" into both; `after` stays as it is without a colon.
void split_at_colon(std::string_view text, std::string& before, std::string& after) {
  const size_t colon = text.find(':');
  before = text.substr(0, colon);
  if (colon != std::string_view::npos) after = text.substr(colon + 1);
}

std::optional<db::Options> parse(std::string_view url) {
  constexpr std::string_view kScheme = "mysql://", kSocket = "?socket=";
  if (!url.starts_with(kScheme)) return std::nullopt;
  url.remove_prefix(kScheme.size());
  db::Options options;
  if (const size_t socket = url.find(kSocket); socket != std::string_view::npos) {
    options.path = url.substr(socket + kSocket.size());
    url = url.substr(0, socket);
  }
  const size_t slash = url.find('/');
  if (slash == std::string_view::npos || slash + 1 == url.size()) return std::nullopt;
  options.database = url.substr(slash + 1);
  url = url.substr(0, slash);
  if (const size_t at = url.rfind('@'); at != std::string_view::npos) {
    split_at_colon(url.substr(0, at), options.user, options.password);
    url.remove_prefix(at + 1);
  }
  std::string port = std::to_string(options.port);
  if (!url.empty()) split_at_colon(url, options.host, port);
  const auto [end, problem] = std::from_chars(port.data(), port.data() + port.size(), options.port);
  if (problem != std::errc() || end != port.data() + port.size()) return std::nullopt;
  return options;
}

}  // namespace

tr::Result<std::unique_ptr<CollectStore>> open_mariadb(const std::string& url) {
  std::optional<db::Options> options = parse(url);
  if (!options) {
    return tr::Error{
        tr::Error::Code::kUsage,
        "expected mysql://USER:PASSWORD@HOST:PORT/DATABASE, or ?socket=/path behind it"};
  }
  return open_sql(MariaDbSql(std::move(*options)));
}

}  // namespace services
