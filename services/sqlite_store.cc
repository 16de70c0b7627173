#include "services/sqlite_store.h"

#include <sys/stat.h>

#include <initializer_list>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "services/sqlite_database.h"
#include "services/sqlite_log.h"
#include "services/sqlite_readers.h"

namespace services {
namespace {

// Errors that one row has caused: a rule that the operator has given the table.
bool is_of_a_row(int code) {
  code &= 0xff;
  return code == SQLITE_CONSTRAINT || code == SQLITE_MISMATCH || code == SQLITE_TOOBIG;
}

// The frames of the transaction are written, with the mark that makes them count. Who reads the log
// after a crash may find them.
bool is_of_a_sync(int code) { return code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_DIR_FSYNC; }

// The database file and its log, at the names where the next start will look for them.
class Files {
 public:
  // When the log is there.
  void watch(const SqliteDatabase& database) {
    database_ = &database;
    log_name_ = sqlite3_filename_wal(sqlite3_db_filename(database.handle.get(), "main"));
    log_ = inode_of(log_name_);
  }
  bool have_moved() const {
    int has_moved = 0;
    sqlite3_file_control(database_->handle.get(), "main", SQLITE_FCNTL_HAS_MOVED, &has_moved);
    return has_moved != 0 || inode_of(log_name_) != log_;
  }

 private:
  static std::optional<ino_t> inode_of(const char* name) {
    struct stat status {};
    if (::stat(name, &status) != 0) return std::nullopt;
    return status.st_ino;
  }

  const SqliteDatabase* database_ = nullptr;
  const char* log_name_ = nullptr;  // of the database's
  std::optional<ino_t> log_;
};

constexpr const char* kMoved =
    "the database file or its write-ahead log was moved, removed or replaced; put it back, or "
    "start anew";

// The rows of one transaction after the other.
class Writer {
 public:
  SqliteDatabase database;
  Files files;

  // The committing thread.
  BatchOutcome commit_blocking(const std::vector<Row>& rows, SqliteLog& log) {
    if (files.have_moved()) return {not_stored(kMoved)};
    if (std::string problem = log.problem(); !problem.empty()) {
      return {not_stored(std::move(problem))};
    }
    std::optional<BatchOutcome> outcome = store(rows);
    if (!outcome) outcome = store_one_by_one(rows);
    if (files.have_moved()) return {unknown(kMoved)};
    return std::move(*outcome);
  }

 private:
  // Nothing: a row has ended the transaction for all of them.
  std::optional<BatchOutcome> store(const std::vector<Row>& rows) {
    BatchOutcome outcome;
    // If an earlier roll-back failed, its transaction is still open.
    if (!roll_back() || !run(database.begin)) return failed();
    for (size_t i = 0; i < rows.size(); ++i) {
      if (insert(rows[i])) continue;
      const int code = sqlite3_extended_errcode(database.handle.get());
      if (!is_of_a_row(code)) return failed();
      if (rows.size() == 1) return failed();
      if (is_rolled_back()) return std::nullopt;
      outcome.except[i] = not_stored(database.problem());
    }
    return run(database.commit) ? outcome : failed();
  }

  BatchOutcome failed() {
    const int code = sqlite3_extended_errcode(database.handle.get());
    std::string why = database.problem();
    roll_back();
    return {is_of_a_sync(code) ? unknown(std::move(why)) : not_stored(std::move(why))};
  }

  // A transaction for each, so that none is harmed by its neighbours.
  BatchOutcome store_one_by_one(const std::vector<Row>& rows) {
    BatchOutcome outcome;
    for (size_t i = 0; i < rows.size(); ++i) {
      const std::optional<BatchOutcome> one = store({rows[i]});
      if (one->all.kind != Outcome::Kind::kStored) outcome.except[i] = one->all;
    }
    return outcome;
  }

  bool insert(const Row& row) const {
    sqlite3_stmt* const statement = database.insert.get();
    bind_text(statement, 1, row.device);
    bind_text(statement, 2, row.metric);
    sqlite3_bind_double(statement, 3, row.value);
    sqlite3_bind_double(statement, 4, row.time);
    return run(database.insert);
  }

  // Some errors have ended the transaction by themselves.
  bool is_rolled_back() const { return sqlite3_get_autocommit(database.handle.get()) != 0; }
  bool roll_back() const { return is_rolled_back() || database.execute("ROLLBACK"); }
};

// One query at work. Its statement's first parameters are `names`, borrowed.
class Query {
 public:
  // Data worker. Blocks until a reader is free.
  Query(SqliteReaders& readers, SqliteStatement SqliteDatabase::*statement,
        std::initializer_list<std::string_view> names = {})
      : readers_(readers), reader_(readers.take_blocking()), run_((reader_.*statement).get()) {
    for (int i = 0; const std::string_view name : names) bind_text(run_.get(), ++i, name);
  }
  ~Query() {
    run_.reset();
    readers_.give_back(reader_);
  }
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  sqlite3_stmt* statement() const { return run_.get(); }
  bool next() {
    status_ = sqlite3_step(run_.get());
    return status_ == SQLITE_ROW;
  }
  Reading reading() const {
    return {.value = sqlite3_column_double(run_.get(), 0),
            .time = sqlite3_column_double(run_.get(), 1),
            .number = sqlite3_column_int64(run_.get(), 2)};
  }
  // After the last next(). A column of a row that is not there must not be read: SQLite would
  // forget the cause.
  bool has_failed() const { return status_ != SQLITE_ROW && status_ != SQLITE_DONE; }
  tr::Error error() const { return {tr::Error::Code::kSystem, reader_.problem()}; }

 private:
  SqliteReaders& readers_;
  SqliteDatabase& reader_;
  SqliteRun run_;
  int status_ = SQLITE_OK;
};

class SqliteStore final : public CollectStore {
 public:
  explicit SqliteStore(SqliteOptions options)
      : path_(std::move(options.path)), log_(readers_, options.log_bytes_max, options.log) {}

  // Empty, or a sentence.
  std::string open() {
    std::string problem = open_database(path_, writer_.database);
    for (SqliteDatabase& reader : readers_.all) {
      if (problem.empty()) problem = open_database(path_, reader);
      readers_.give_back(reader);
    }
    if (problem.empty()) problem = try_to_write(writer_.database);
    if (!problem.empty()) return problem;
    writer_.files.watch(writer_.database);
    log_.watch(writer_.database);
    return {};
  }

  BatchOutcome commit_blocking(const std::vector<Row>& rows) override {
    return writer_.commit_blocking(rows, log_);
  }
  void tidy() override { log_.tidy(); }

  tr::Result<std::optional<Reading>> last_blocking(std::string_view device,
                                                   std::string_view metric) override {
    Query query(readers_, &SqliteDatabase::last, {device, metric});
    sqlite3_bind_double(query.statement(), 3, kTimeEnd);
    std::optional<Reading> found;
    if (query.next()) found = query.reading();
    if (query.has_failed()) return query.error();
    return found;
  }
  tr::Result<std::vector<Reading>> range_blocking(const RangeQuery& wanted) override {
    Query query(readers_, &SqliteDatabase::range, {wanted.device, wanted.metric});
    sqlite3_bind_double(query.statement(), 3, wanted.from);
    sqlite3_bind_int64(query.statement(), 4, wanted.after);
    sqlite3_bind_double(query.statement(), 5, wanted.to);
    sqlite3_bind_int(query.statement(), 6, wanted.rows_max);
    std::vector<Reading> found;
    while (query.next()) found.push_back(query.reading());
    if (query.has_failed()) return query.error();
    return found;
  }
  tr::Result<uint64_t> count_blocking() override {
    Query query(readers_, &SqliteDatabase::count);
    if (!query.next()) return query.error();
    return static_cast<uint64_t>(sqlite3_column_int64(query.statement(), 0));
  }

 private:
  const std::string path_;
  SqliteReaders readers_;
  Writer writer_;  // behind the readers: the last one to close copies the log
  SqliteLog log_;
};

}  // namespace

tr::Result<std::unique_ptr<CollectStore>> open_sqlite(SqliteOptions options) {
  const std::string path = options.path;
  if (path.empty()) return tr::Error{tr::Error::Code::kUsage, "the database needs a file name"};
  auto store = std::make_unique<SqliteStore>(std::move(options));
  if (const std::string problem = store->open(); !problem.empty()) {
    return tr::Error{tr::Error::Code::kSystem, "cannot open the database " + path + ": " + problem};
  }
  return std::unique_ptr<CollectStore>(std::move(store));
}

}  // namespace services
