#include "services/collect.h"

#include <sqlite3.h>

#include <array>
#include <charconv>
#include <cmath>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "trireme/codec.h"

namespace services {
namespace {

constexpr size_t kNameBytesMax = 64;
constexpr size_t kWordsMax = 5;
constexpr int kRangeRowsMax = 10'000;
// Queries read at once. They share the CPUs with everything else, so more would only hold memory.
constexpr int kReadersCount = 4;
// How long SQLite waits for a lock that another process holds on the file.
constexpr int kLockWaitMilliseconds = 5'000;
// From here the log is copied into the database after a commit, as far as running queries allow.
constexpr int kCheckpointPages = 1'000;
// From here a commit waits for those queries, so that the log does not grow without a bound.
constexpr int kLogPagesMax = 16'000;

// --- Words and numbers ---

using Word = std::string_view;

// How many words `line` has; 0 if one is empty or there are more than fit.
size_t split(std::string_view line, std::array<Word, kWordsMax>& words) {
  for (size_t count = 0; count < kWordsMax;) {
    const size_t space = line.find(' ');
    words[count++] = line.substr(0, space);
    if (words[count - 1].empty()) return 0;
    if (space == std::string_view::npos) return count;
    line.remove_prefix(space + 1);
  }
  return 0;
}

bool is_name(Word word) {
  constexpr std::string_view kLettersAndMore =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-";
  return !word.empty() && word.size() <= kNameBytesMax &&
         word.find_first_not_of(kLettersAndMore) == std::string_view::npos;
}

bool is_command(Word word) { return word == "LAST" || word == "RANGE" || word == "COUNT"; }

std::optional<double> parse_number(Word word) {
  const char* const end = word.data() + word.size();
  double number = 0;
  const auto [stop, problem] = std::from_chars(word.data(), end, number);
  // from_chars reads "inf" and "nan" too.
  if (problem != std::errc() || stop != end || !std::isfinite(number)) return std::nullopt;
  return number + 0.0;  // -0 becomes 0: SQLite does not keep it
}

// The fewest digits that read back as the same double; without an exponent where people expect
// none, so that a time is not answered as 1.7e+09.
void append_number(std::string& text, double number) {
  std::array<char, 32> digits;
  const double size = std::fabs(number);
  const bool plain = size == 0 || (size >= 1e-4 && size < 1e16);
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number,
                                 plain ? std::chars_format::fixed : std::chars_format::scientific);
  text.append(digits.data(), end.ptr);
}

// --- SQLite ---

template <auto kFunction>
struct Call {
  void operator()(auto* object) const { kFunction(object); }
};
using Statement = std::unique_ptr<sqlite3_stmt, Call<sqlite3_finalize>>;
using Running = std::unique_ptr<sqlite3_stmt, Call<sqlite3_reset>>;  // ends the run only

// One connection to the database, used by one thread at a time.
struct Database {
  std::unique_ptr<sqlite3, Call<sqlite3_close>> handle;
  Statement begin, insert, commit, last, range, count;

  bool execute(const char* sql) const {
    return sqlite3_exec(handle.get(), sql, nullptr, nullptr, nullptr) == SQLITE_OK;
  }
  Statement prepare(const char* sql) const {
    sqlite3_stmt* statement = nullptr;
    sqlite3_prepare_v3(handle.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    return Statement(statement);
  }
  // A sentence: SQLite's, and the system's where it knows more.
  std::string problem() const {
    std::string sentence = sqlite3_errmsg(handle.get());
    const int code = sqlite3_errcode(handle.get());
    const bool is_recent = code == SQLITE_IOERR || code == SQLITE_CANTOPEN;
    const int error = is_recent ? sqlite3_system_errno(handle.get()) : 0;
    return error == 0 ? sentence : sentence + " (" + std::system_category().message(error) + ")";
  }
};

bool run(const Statement& statement) {
  return sqlite3_step(Running(statement.get()).get()) == SQLITE_DONE;
}

// Borrows `text`: all callers are done with the statement before the request's bytes go.
void bind_text(sqlite3_stmt* statement, int place, std::string_view text) {
  sqlite3_bind_text(statement, place, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
}

// Instead of SQLite's own automatic checkpoint, which never waits for a reader: readers that always
// overlap would let the log grow for ever.
int on_log_grown(void*, sqlite3* handle, const char* name, int pages) {
  if (pages >= kCheckpointPages) {
    const int mode = pages < kLogPagesMax ? SQLITE_CHECKPOINT_PASSIVE : SQLITE_CHECKPOINT_RESTART;
    sqlite3_wal_checkpoint_v2(handle, name, mode, nullptr, nullptr);
  }
  return SQLITE_OK;  // the rows are safe in the log, and the next commit tries again
}

// Empty, or a sentence that says why not.
std::string open_database(const std::string& path, Database& database) {
  // With a directory in front SQLite takes ":memory:" and "file:..." for names of files, too.
  const std::string name = path.front() == '/' ? path : "./" + path;
  sqlite3* handle = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  const int status = sqlite3_open_v2(name.c_str(), &handle, flags, nullptr);
  database.handle.reset(handle);
  if (status != SQLITE_OK) return database.problem();
  sqlite3_busy_timeout(handle, kLockWaitMilliseconds);
  sqlite3_wal_hook(handle, on_log_grown, nullptr);

  const Statement log_mode = database.prepare("PRAGMA journal_mode=WAL");
  if (sqlite3_step(log_mode.get()) != SQLITE_ROW) return database.problem();
  const void* const mode = sqlite3_column_text(log_mode.get(), 0);
  if (std::string_view(static_cast<const char*>(mode)) != "wal") {
    return "its file system does not support a write-ahead log";
  }
  sqlite3_reset(log_mode.get());
  if (!database.execute("PRAGMA synchronous=FULL;"
                        "CREATE TABLE IF NOT EXISTS readings("
                        "  device TEXT NOT NULL, metric TEXT NOT NULL,"
                        "  value REAL NOT NULL, time REAL NOT NULL);"
                        "CREATE INDEX IF NOT EXISTS readings_by_time"
                        "  ON readings(device, metric, time)")) {
    return database.problem();
  }

  const auto prepare = [&](Statement& statement, const std::string& sql) {
    statement = database.prepare(sql.c_str());
    return statement != nullptr;
  };
  const std::string select = "SELECT value, time FROM readings WHERE device = ?1 AND metric = ?2 ";
  const bool prepared =
      prepare(database.begin, "BEGIN IMMEDIATE") && prepare(database.commit, "COMMIT") &&
      prepare(database.insert, "INSERT INTO readings VALUES(?1, ?2, ?3, ?4)") &&
      prepare(database.count, "SELECT count(*) FROM readings") &&
      prepare(database.last, select + "ORDER BY time DESC, rowid DESC LIMIT 1") &&
      prepare(database.range, select + "AND time BETWEEN ?3 AND ?4 ORDER BY time, rowid LIMIT ?5");
  return prepared ? "" : database.problem();
}

// --- Writing ---

struct Row {
  Word device, metric;  // borrowed from a request whose handler waits until the row is committed
  double value, time;
};

// The rows of one transaction after the other, each on the disk when `commit_blocking` returns.
class Writer {
 public:
  Database database;

  // Data worker, one at a time. Empty, or a sentence that says why not.
  std::string commit_blocking(const std::vector<Row>& rows) {
    if (store(rows)) return {};
    std::string problem = database.problem();
    roll_back();
    return problem;
  }

 private:
  bool store(const std::vector<Row>& rows) {
    // If an earlier roll-back failed, its transaction is still open.
    if (!roll_back() || !run(database.begin)) return false;
    for (const Row& row : rows) {
      bind_text(database.insert.get(), 1, row.device);
      bind_text(database.insert.get(), 2, row.metric);
      sqlite3_bind_double(database.insert.get(), 3, row.value);
      sqlite3_bind_double(database.insert.get(), 4, row.time);
      if (!run(database.insert)) return false;
    }
    return run(database.commit);
  }

  // Some errors have ended the transaction by themselves.
  bool roll_back() {
    return sqlite3_get_autocommit(database.handle.get()) != 0 || database.execute("ROLLBACK");
  }
};

// --- Reading ---

// A small pool of connections to the database, each lent to one query at a time.
class Readers {
 public:
  std::array<Database, kReadersCount> all;

  // Data worker. Blocks until one is free.
  Database& take_blocking() {
    std::unique_lock lock(mutex_);
    returned_.wait(lock, [&] { return !free_.empty(); });
    Database* const reader = free_.back();
    free_.pop_back();
    return *reader;
  }
  // Any thread.
  void give_back(Database& reader) {
    const std::lock_guard lock(mutex_);
    free_.push_back(&reader);
    returned_.notify_one();
  }

 private:
  std::mutex mutex_;  // guards all below
  std::condition_variable returned_;
  std::vector<Database*> free_;
};

// One query at work. Its statement's first parameters are `names`, borrowed.
class Query {
 public:
  // Data worker. Blocks until a reader is free.
  Query(Readers& readers, Statement Database::*statement, std::span<const Word> names)
      : readers_(readers), reader_(readers.take_blocking()), row_((reader_.*statement).get()) {
    for (int i = 0; const Word name : names) bind_text(row_.get(), ++i, name);
  }
  ~Query() {
    row_.reset();
    readers_.give_back(reader_);
  }
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  sqlite3_stmt* row() const { return row_.get(); }
  bool next() {
    status_ = sqlite3_step(row_.get());
    return status_ == SQLITE_ROW;
  }
  void append_reading(std::string& text) const {
    append_number(text, sqlite3_column_double(row_.get(), 0));
    text += ' ';
    append_number(text, sqlite3_column_double(row_.get(), 1));
  }
  // `text` if all went well so far.
  tr::Answer answer(std::string text) const {
    if (status_ == SQLITE_ROW || status_ == SQLITE_DONE) return text;
    return tr::error("cannot read: " + reader_.problem());
  }

 private:
  Readers& readers_;
  Database& reader_;
  Running row_;
  int status_ = SQLITE_OK;
};

tr::Answer wrong_name() { return tr::error("names are 1 to 64 of A-Z a-z 0-9 _ . : -"); }

}  // namespace

// --- The protocol ---

struct Collect::Store {
  CollectOptions options;
  Writer writer;
  GroupCommit<Row> commits{
      [this](const std::vector<Row>& rows) { return writer.commit_blocking(rows); }};
  Readers readers;
};

tr::Answer Collect::answer(std::string_view line) {
  std::array<Word, kWordsMax> found;
  const Words words(found.data(), split(line, found));
  if (!words.empty()) {
    if (words[0] == "LAST" && words.size() == 3) return last(words);
    if (words[0] == "RANGE" && words.size() == 5) return range(words);
    if (words[0] == "COUNT" && words.size() == 1) return count();
    if (!is_command(words[0]) && (words.size() == 3 || words.size() == 4)) return insert(words);
  }
  return tr::error(
      "expected DEVICE METRIC VALUE [UNIX_TIME], LAST DEVICE METRIC, RANGE DEVICE METRIC FROM TO "
      "or COUNT, with one space between words");
}

tr::Answer Collect::insert(Words words) {
  if (!is_name(words[0]) || !is_name(words[1])) return wrong_name();
  const std::optional<double> value = parse_number(words[2]);
  if (!value) return tr::error("VALUE must be a finite decimal number");
  std::optional<double> time;
  if (words.size() == 4) {
    time = parse_number(words[3]);
    if (!time) return tr::error("UNIX_TIME must be a finite decimal number of seconds");
  } else {
    // A double holds today's time to a quarter of a microsecond: finer digits would be noise.
    const auto now = std::chrono::floor<std::chrono::microseconds>(store_->options.now());
    time = static_cast<double>(now.time_since_epoch().count()) / 1e6;
  }
  const std::string problem = store_->commits.add_blocking({words[0], words[1], *value, *time});
  return problem.empty() ? tr::Answer("OK") : tr::error("not stored: " + problem);
}

tr::Answer Collect::last(Words words) {
  if (!is_name(words[1]) || !is_name(words[2])) return wrong_name();
  Query query(store_->readers, &Database::last, words.subspan(1, 2));
  std::string reading;
  if (query.next()) query.append_reading(reading);
  return query.answer(reading.empty() ? "NONE" : reading);
}

tr::Answer Collect::range(Words words) {
  if (!is_name(words[1]) || !is_name(words[2])) return wrong_name();
  const std::optional<double> from = parse_number(words[3]);
  const std::optional<double> to = parse_number(words[4]);
  if (!from || !to) return tr::error("FROM and TO must be finite decimal numbers of seconds");
  Query query(store_->readers, &Database::range, words.subspan(1, 2));
  sqlite3_bind_double(query.row(), 3, *from);
  sqlite3_bind_double(query.row(), 4, *to);
  sqlite3_bind_int(query.row(), 5, kRangeRowsMax);
  std::string readings;
  int count = 0;
  for (; query.next(); ++count) {
    readings += '\n';
    query.append_reading(readings);
  }
  return query.answer(std::to_string(count) + readings);
}

tr::Answer Collect::count() {
  Query query(store_->readers, &Database::count, {});
  query.next();
  return query.answer(std::to_string(sqlite3_column_int64(query.row(), 0)));
}

tr::Result<std::unique_ptr<Collect>> Collect::open(CollectOptions options) {
  const std::string path = options.path;
  if (path.empty()) return tr::Error{tr::Error::Code::kUsage, "the database needs a file name"};
  auto store = std::make_unique<Store>();
  store->options = std::move(options);
  std::string problem = open_database(path, store->writer.database);
  for (Database& reader : store->readers.all) {
    if (problem.empty()) problem = open_database(path, reader);
    store->readers.give_back(reader);
  }
  if (!problem.empty()) {
    return tr::Error{tr::Error::Code::kSystem, "cannot open the database " + path + ": " + problem};
  }
  return std::unique_ptr<Collect>(new Collect(std::move(store)));
}

Collect::Collect(std::unique_ptr<Store> store) : store_(std::move(store)) {}
Collect::~Collect() = default;

CommitCounters Collect::counters() const { return store_->commits.counters(); }

void add_collect(tr::Server& server, Collect& collect, const std::string& url,
                 const tr::ListenOptions& options) {
  const auto handler = [&collect](const tr::Request& request) -> tr::Answer {
    return collect.answer(request.text());
  };
  server.listen(url, tr::lines(), handler, options);
}

}  // namespace services
