// Where `collect` keeps its rows: one interface, and one implementation for each database.
//
// Part of the handlers of `collect`. Threads: as each function says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "trireme/result.h"

namespace services {

namespace tr = trireme;

// Times of rows are in [kTimeMin, kTimeEnd): seconds since 1970 in the years 1 to 9999. What lies
// beyond is another unit as a rule, and as the latest row it would answer every LAST.
inline constexpr double kTimeMin = -62'135'596'800;
inline constexpr double kTimeEnd = 253'402'300'800;

struct Row {
  std::string device, metric;
  double value = 0, time = 0;
};

// What is known of a row after a commit.
struct Outcome {
  enum class Kind : uint8_t {
    kStored,     // on the disk
    kNotStored,  // it is not there, and will not be
    kUnknown,    // it may be there, now or after the next start of the database
  };
  Kind kind = Kind::kStored;
  std::string why{};  // a sentence, unless it is stored
};

inline Outcome not_stored(std::string why) { return {Outcome::Kind::kNotStored, std::move(why)}; }
inline Outcome unknown(std::string why) { return {Outcome::Kind::kUnknown, std::move(why)}; }

// What is known of the rows of a batch.
struct BatchOutcome {
  Outcome all{};
  std::map<size_t, Outcome> except{};  // rows with an outcome of their own, by their place

  const Outcome& of(size_t row) const {
    const auto own = except.find(row);
    return own == except.end() ? all : own->second;
  }
};

struct Reading {
  double value = 0, time = 0;
  int64_t number = 0;  // grows with each row that is stored
};

// What RANGE asks for: rows behind the place (from, after), up to `to`.
struct RangeQuery {
  std::string_view device, metric;
  double from = 0;
  int64_t after = INT64_MIN;  // of the rows of time `from`, only those with greater numbers
  double to = 0;
  int rows_max = 0;
};

class CollectStore {
 public:
  virtual ~CollectStore() = default;

  // The committing thread, alone. Blocks until the rows are on the disk, or fail. Must not throw.
  virtual BatchOutcome commit_blocking(const std::vector<Row>& rows) = 0;
  // The committing thread, when the rows of a commit have been answered: housekeeping.
  virtual void tidy() {}

  // Data worker; any number of threads at once. Each blocks until the database has answered. It
  // sees every row whose commit has returned. An error is a sentence.
  virtual tr::Result<std::optional<Reading>> last_blocking(std::string_view device,
                                                           std::string_view metric) = 0;
  virtual tr::Result<std::vector<Reading>> range_blocking(const RangeQuery& query) = 0;
  virtual tr::Result<uint64_t> count_blocking() = 0;
};

}  // namespace services
