// Assertions that stay on in release builds: a broken invariant stops the process before it
// corrupts data.
//
// Step: below all steps. Thread: any.
#pragma once

#include <cstdint>

namespace trireme { inline namespace v0 {

// Prints file, line, the condition and two values to standard error and aborts.
[[noreturn]] void check_failed(const char* file, int line, const char* condition,
                               const char* sentence, int64_t value_a, int64_t value_b);

}}  // namespace trireme

// Misuse of the API or a broken invariant. `sentence` says what it means for the reader of the
// crash.
#define CHECK(condition, sentence) \
  (static_cast<bool>(condition)    \
       ? static_cast<void>(0)      \
       : ::trireme::check_failed(__FILE__, __LINE__, #condition, sentence, 0, 0))

// The same for `a == b`, with both values printed.
#define CHECK_EQUAL(a, b, sentence)                                                   \
  (((a) == (b)) ? static_cast<void>(0)                                                \
                : ::trireme::check_failed(__FILE__, __LINE__, #a " == " #b, sentence, \
                                          static_cast<int64_t>(a), static_cast<int64_t>(b)))
