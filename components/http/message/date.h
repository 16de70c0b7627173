// Dates of HTTP (RFC 9110, 5.6.7): the one form that is written, the three that are read.
//
// Thread: any.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

namespace trireme { inline namespace v0 { namespace http {

constexpr size_t kDateBytes = 29;  // "Sun, 06 Nov 1994 08:49:37 GMT"

// Seconds since 1970, from year 1 to 9999.
void write_date(int64_t seconds, char* into);
// `now` decides the century of a date with two digits for its year (RFC 850). None: it is no date.
std::optional<int64_t> read_date(std::string_view text, int64_t now);

// The date of now as text, written once a second for all threads. A reader never waits: if another
// thread writes at this moment, it writes its own.
class DateCache {
 public:
  // Puts kDateBytes bytes.
  void put(int64_t now, char* into) {
    const uint64_t before =
        version_.load(std::memory_order_acquire);  // pairs with the release below
    if (before % 2 == 0 && second_.load(std::memory_order_relaxed) == now) {
      std::array<uint64_t, 4> words;
      for (size_t i = 0; i < words.size(); ++i) {
        words[i] = words_[i].load(std::memory_order_acquire);  // keeps the second look behind them
      }
      if (version_.load(std::memory_order_relaxed) == before) {
        std::memcpy(into, words.data(), kDateBytes);
        return;
      }
    }
    write_anew(now, before, into);
  }

 private:
  void write_anew(int64_t now, uint64_t before, char* into);

  std::atomic<uint64_t> version_{0};  // odd: somebody writes
  std::atomic<int64_t> second_{INT64_MIN};
  std::array<std::atomic<uint64_t>, 4> words_{};
};

}}}  // namespace trireme::http
