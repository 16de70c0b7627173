// The result of a run, for people and for programs.
//
// Part of the tool; pure functions, any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "load/runner.h"

namespace bench {

struct Subject {
  std::string scenario;
  std::string url;
  load::RunOptions options;
};

// Exit status: 0, or 1 if a byte was wrong, a connection broke or was not made, a reply is missing,
// or nothing was answered.
int exit_status(const load::Measured& measured);

// `amount` for each of `count`; 0 if there is none.
inline double per(double amount, double count) { return count > 0 ? amount / count : 0; }

// Several lines, of at most so many columns where their words allow it.
std::string text_of(const Subject& subject, const load::Measured& measured,
                    size_t columns = SIZE_MAX);
// What is going on, in one line of at most so many columns.
std::string progress_of(const load::RunOptions& options, const load::Progress& progress,
                        size_t columns);
// One object, as docs/bench.md describes it.
std::string json_of(const Subject& subject, const load::Measured& measured);

// "123 ns", "1.23 us", "45.6 ms", "7.89 s": three digits.
std::string show_time(double nanoseconds);
// "1,234,567".
std::string show_count(uint64_t count);
// "512 B", "1.50 KiB", "3.25 MiB".
std::string show_bytes(double bytes);

}  // namespace bench
