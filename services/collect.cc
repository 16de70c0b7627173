#include "services/collect.h"

#include <array>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "services/collect_words.h"
#include "services/rare_log.h"
#include "services/sqlite_store.h"
#ifdef TRIREME_HAS_MARIADB
#include "services/mariadb_store.h"
#endif
#ifdef TRIREME_HAS_POSTGRES
#include "services/postgres_store.h"
#endif

namespace services {
namespace {

constexpr int kRangeRowsMax = 10'000;

tr::Answer wrong_name() { return tr::error("names are 1 to 64 of A-Z a-z 0-9 _ . : -"); }

tr::Answer cannot_read(const tr::Error& error) {
  return tr::error("cannot read: " + error.message);
}

bool is_command(Word word) { return word == "LAST" || word == "RANGE" || word == "COUNT"; }

void append_reading(std::string& text, const Reading& reading) {
  append_number(text, reading.value);
  text += ' ';
  append_number(text, reading.time);
}

std::string lines_of(std::string head, const std::vector<Reading>& readings) {
  for (const Reading& reading : readings) {
    head += '\n';
    append_reading(head, reading);
  }
  return head;
}

[[maybe_unused]] tr::Error without(const std::string& library) {
  return {tr::Error::Code::kUsage, "this trireme was built without " + library +
                                       ": it keeps rows in a file only, or in another database"};
}

tr::Result<std::unique_ptr<CollectStore>> open_store(const CollectOptions& options) {
  const std::string& name = options.path;
  if (name.starts_with("postgres://") || name.starts_with("postgresql://")) {
#ifdef TRIREME_HAS_POSTGRES
    return open_postgres(name);
#else
    return without("libpq");
#endif
  }
  if (name.starts_with("mysql://")) {
#ifdef TRIREME_HAS_MARIADB
    return open_mariadb(name);
#else
    return without("libmariadb");
#endif
  }
  return open_sqlite({.path = name, .log_bytes_max = options.log_bytes_max, .log = options.log});
}

tr::Answer answer_of(const Outcome& outcome) {
  switch (outcome.kind) {
    case Outcome::Kind::kStored:
      return "OK";
    case Outcome::Kind::kNotStored:
      return tr::error("not stored: " + outcome.why);
    case Outcome::Kind::kUnknown:
      break;
  }
  return tr::error("unknown whether it is stored: " + outcome.why);
}

}  // namespace

struct Collect::Parts {
  Parts(CollectOptions given, std::unique_ptr<CollectStore> opened)
      : options(std::move(given)),
        log(options.log),
        store(std::move(opened)),
        commits([this](const std::vector<Row>& rows) { return commit_blocking(rows); },
                [this] { store->tidy(); }, options.waiting_rows_max) {}

  // The committing thread.
  BatchOutcome commit_blocking(const std::vector<Row>& rows) {
    BatchOutcome outcome = store->commit_blocking(rows);
    const bool is_stored = outcome.all.kind == Outcome::Kind::kStored;
    if (is_stored && outcome.except.empty()) {
      log.success("rows are stored again");
    } else {
      const Outcome& worst = is_stored ? outcome.except.begin()->second : outcome.all;
      const size_t count = is_stored ? outcome.except.size() : rows.size();
      log.failure("collect: " + std::to_string(count) + " of " + std::to_string(rows.size()) +
                  " rows not stored: " + worst.why);
    }
    return outcome;
  }

  const CollectOptions options;
  RareLog log;  // the committing thread's
  const std::unique_ptr<CollectStore> store;
  GroupCommit<Row> commits;
};

void Collect::answer(std::string_view line, Send send, Clock::time_point deadline) {
  std::array<Word, kWordsMax> found;
  const Words words(found.data(), split(line, found));
  if (!words.empty() && !is_command(words[0]) && (words.size() == 3 || words.size() == 4)) {
    return insert(words, std::move(send), deadline);
  }
  send(query(words));
}

tr::Answer Collect::query(Words words) {
  if (!words.empty()) {
    if (words[0] == "LAST" && words.size() == 3) return last(words);
    if (words[0] == "RANGE" && (words.size() == 5 || words.size() == 6)) return range(words);
    if (words[0] == "COUNT" && words.size() == 1) return count();
  }
  return tr::error(
      "expected DEVICE METRIC VALUE [UNIX_TIME], LAST DEVICE METRIC, RANGE DEVICE METRIC FROM TO "
      "[PLACE] or COUNT, with one space between words");
}

void Collect::insert(Words words, Send send, Clock::time_point deadline) {
  if (!is_name(words[0]) || !is_name(words[1])) return send(wrong_name());
  const std::optional<double> value = parse_number(words[2]);
  if (!value) return send(tr::error("VALUE must be a finite decimal number"));
  std::optional<double> time;
  if (words.size() == 4) {
    time = parse_number(words[3]);
    if (!time) return send(tr::error("UNIX_TIME must be a finite decimal number of seconds"));
    if (*time < kTimeMin || *time >= kTimeEnd) {
      return send(tr::error("UNIX_TIME must be seconds, in the years 1 to 9999"));
    }
  } else {
    // A double holds today's time to a quarter of a microsecond: finer digits would be noise.
    const auto now = std::chrono::floor<std::chrono::microseconds>(parts_->options.now());
    time = static_cast<double>(now.time_since_epoch().count()) / 1e6;
  }
  const auto done = [send](const Outcome& outcome) { send(answer_of(outcome)); };
  Row row{std::string(words[0]), std::string(words[1]), *value, *time};
  if (!parts_->commits.add(std::move(row), deadline, done)) send(tr::busy());
}

tr::Answer Collect::last(Words words) {
  if (!is_name(words[1]) || !is_name(words[2])) return wrong_name();
  const auto found = parts_->store->last_blocking(words[1], words[2]);
  if (!found) return cannot_read(found.error());
  if (!found.value()) return "NONE";
  std::string text;
  append_reading(text, *found.value());
  return text;
}

tr::Answer Collect::range(Words words) {
  if (!is_name(words[1]) || !is_name(words[2])) return wrong_name();
  const std::optional<double> from = parse_number(words[3]);
  const std::optional<double> to = parse_number(words[4]);
  if (!from || !to) return tr::error("FROM and TO must be finite decimal numbers of seconds");
  const bool in_pages = words.size() == 6;
  RangeQuery query{.device = words[1], .metric = words[2], .from = *from, .to = *to};
  if (in_pages && words[5] != "-") {
    const std::optional<Place> place = parse_place(words[5]);
    if (!place) return tr::error("PLACE must be - or what the reply before has named");
    if (place->time >= *from) {
      query.from = place->time;
      query.after = place->number;
    }
  }
  query.rows_max = in_pages ? kRangeRowsMax + 1 : kRangeRowsMax;  // one more tells whether to go on
  auto found = parts_->store->range_blocking(query);
  if (!found) return cannot_read(found.error());
  std::vector<Reading>& readings = found.value();
  std::string next;
  if (in_pages) {
    const bool is_more = readings.size() > static_cast<size_t>(kRangeRowsMax);
    if (is_more) readings.pop_back();
    next = is_more ? " " + text_of({readings.back().time, readings.back().number}) : " -";
  }
  return lines_of(std::to_string(readings.size()) + next, readings);
}

tr::Answer Collect::count() {
  const auto counted = parts_->store->count_blocking();
  if (!counted) return cannot_read(counted.error());
  return std::to_string(counted.value());
}

tr::Result<std::unique_ptr<Collect>> Collect::open(CollectOptions options) {
  auto store = open_store(options);
  if (!store) return store.error();
  try {
    return std::unique_ptr<Collect>(
        new Collect(std::make_unique<Parts>(std::move(options), std::move(store.value()))));
  } catch (const std::system_error& problem) {
    return tr::Error{tr::Error::Code::kSystem,
                     std::string("cannot start the committing thread: ") + problem.what()};
  }
}

Collect::Collect(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Collect::~Collect() = default;

CommitCounters Collect::counters() const { return parts_->commits.counters(); }

void add_collect(tr::Server& server, Collect& collect, const std::string& url,
                 const tr::ListenOptions& options) {
  const auto handler = [&collect, time_max = options.handler_time_max](const tr::Request& request,
                                                                       tr::Reply reply) {
    const auto now = Collect::Clock::now();
    // A function must copy: the reply is shared with itself.
    const auto kept = std::make_shared<tr::Reply>(std::move(reply));
    collect.answer(
        request.text(), [kept](tr::Answer answer) { std::move(*kept).send(std::move(answer)); },
        time_max.count() == 0 ? Collect::Clock::time_point::max() : now + time_max);
  };
  server.listen(url, collect_lines(), handler, options);
}

}  // namespace services
