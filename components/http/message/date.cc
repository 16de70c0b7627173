#include "http/message/date.h"

#include <algorithm>

#include "http/message/characters.h"

namespace trireme { inline namespace v0 { namespace http {

namespace {

constexpr std::string_view kDays = "SunMonTueWedThuFriSat";
constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
constexpr int64_t kDaySeconds = 86'400;

// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": a day since 1970 and its date.
int64_t days_of(int64_t year, int64_t month, int64_t day) {
  year -= month <= 2;
  const int64_t era = (year >= 0 ? year : year - 399) / 400;
  const int64_t of_era = year - era * 400;
  const int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  const int64_t day_of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
  return era * 146'097 + day_of_era - 719'468;
}

struct CivilDate {
  int64_t year, month, day;
};
CivilDate date_of(int64_t days) {
  days += 719'468;
  const int64_t era = (days >= 0 ? days : days - 146'096) / 146'097;
  const int64_t day_of_era = days - era * 146'097;
  const int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const int64_t of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t shifted = (5 * of_year + 2) / 153;
  const int64_t day = of_year - (153 * shifted + 2) / 5 + 1;
  const int64_t month = shifted < 10 ? shifted + 3 : shifted - 9;
  return {year_of_era + era * 400 + (month <= 2), month, day};
}

void put_two(int64_t number, char* into) {
  into[0] = static_cast<char>('0' + number / 10 % 10);
  into[1] = static_cast<char>('0' + number % 10);
}

// Takes texts and numbers off the front of a date.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  bool take(std::string_view text) {
    if (!rest_.starts_with(text)) return false;
    rest_.remove_prefix(text.size());
    return true;
  }
  bool digits(size_t count, int64_t& number) {
    number = 0;
    if (rest_.size() < count) return false;
    for (size_t i = 0; i < count; ++i) {
      if (!is_digit(rest_[i])) return false;
      number = number * 10 + (rest_[i] - '0');
    }
    rest_.remove_prefix(count);
    return true;
  }
  // One of names of three letters; 0 is the first.
  bool name(std::string_view names, int64_t& index) {
    const std::string_view wanted = rest_.substr(0, 3);
    for (size_t at = 0; wanted.size() == 3 && at < names.size(); at += 3) {
      if (names.substr(at, 3) != wanted) continue;
      index = static_cast<int64_t>(at / 3);
      rest_.remove_prefix(3);
      return true;
    }
    return false;
  }
  bool time(int64_t& seconds) {
    int64_t hour, minute, second;
    if (!digits(2, hour) || !take(":") || !digits(2, minute) || !take(":") || !digits(2, second)) {
      return false;
    }
    seconds = hour * 3600 + minute * 60 + second;
    return hour < 24 && minute < 60 && second <= 60;
  }
  bool long_day() {
    constexpr std::string_view names[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                          "Thursday", "Friday", "Saturday"};
    return std::any_of(std::begin(names), std::end(names), [&](auto day) { return take(day); });
  }
  bool at_end() const { return rest_.empty(); }
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

std::optional<int64_t> whole(int64_t year, int64_t month, int64_t day, int64_t time) {
  if (day < 1 || day > 31 || year < 1) return std::nullopt;
  const int64_t days = days_of(year, month + 1, day);
  if (date_of(days).day != day) return std::nullopt;  // such as 31 February
  return days * kDaySeconds + time;
}

std::optional<int64_t> read_fixed(std::string_view text) {  // RFC 9110: IMF-fixdate
  Reader reader(text);
  int64_t week_day, day, month, year, time;
  if (!reader.name(kDays, week_day) || !reader.take(", ") || !reader.digits(2, day) ||
      !reader.take(" ") || !reader.name(kMonths, month) || !reader.take(" ") ||
      !reader.digits(4, year) || !reader.take(" ") || !reader.time(time) || !reader.take(" GMT") ||
      !reader.at_end()) {
    return std::nullopt;
  }
  return whole(year, month, day, time);
}

std::optional<int64_t> read_850(std::string_view text, int64_t now) {
  Reader reader(text);
  int64_t day, month, year, time;
  if (!reader.long_day() || !reader.take(", ") || !reader.digits(2, day) || !reader.take("-") ||
      !reader.name(kMonths, month) || !reader.take("-") || !reader.digits(2, year) ||
      !reader.take(" ") || !reader.time(time) || !reader.take(" GMT") || !reader.at_end()) {
    return std::nullopt;
  }
  // More than 50 years in the future means the past (RFC 9110).
  const int64_t this_year = date_of(now / kDaySeconds).year;
  year += this_year / 100 * 100;
  if (year > this_year + 50) year -= 100;
  return whole(year, month, day, time);
}

std::optional<int64_t> read_asctime(std::string_view text) {
  Reader reader(text);
  int64_t week_day, day, month, year, time;
  if (!reader.name(kDays, week_day) || !reader.take(" ") || !reader.name(kMonths, month) ||
      !reader.take(" ")) {
    return std::nullopt;
  }
  const bool short_day = reader.take(" ");
  if (!reader.digits(short_day ? 1 : 2, day) || !reader.take(" ") || !reader.time(time) ||
      !reader.take(" ") || !reader.digits(4, year) || !reader.at_end()) {
    return std::nullopt;
  }
  return whole(year, month, day, time);
}

}  // namespace

void write_date(int64_t seconds, char* into) {
  int64_t days = seconds / kDaySeconds;
  int64_t time = seconds % kDaySeconds;
  if (time < 0) {
    time += kDaySeconds;
    --days;
  }
  const CivilDate date = date_of(days);
  const auto week_day = static_cast<size_t>(((days + 4) % 7 + 7) % 7);
  std::memcpy(into, "Sun, 00 Jan 0000 00:00:00 GMT", kDateBytes);
  std::memcpy(into, kDays.data() + week_day * 3, 3);
  put_two(date.day, into + 5);
  std::memcpy(into + 8, kMonths.data() + (date.month - 1) * 3, 3);
  put_two(date.year / 100, into + 12);
  put_two(date.year, into + 14);
  put_two(time / 3600, into + 17);
  put_two(time / 60 % 60, into + 20);
  put_two(time % 60, into + 23);
}

std::optional<int64_t> read_date(std::string_view text, int64_t now) {
  if (text.size() < 24 || text.size() > 40) return std::nullopt;
  if (text[3] == ',') return read_fixed(text);
  if (text[3] == ' ') return read_asctime(text);
  return read_850(text, now);
}

void DateCache::write_anew(int64_t now, uint64_t before, char* into) {
  std::array<uint64_t, 4> words{};
  write_date(now, reinterpret_cast<char*>(words.data()));
  std::memcpy(into, words.data(), kDateBytes);
  // One writer at a time; who comes second has its own text already. Acquire: its stores stay
  // behind the odd version.
  if (before % 2 != 0 ||
      !version_.compare_exchange_strong(before, before + 1, std::memory_order_acq_rel,
                                        std::memory_order_relaxed)) {
    return;
  }
  second_.store(now, std::memory_order_release);  // release: behind the odd version
  for (size_t i = 0; i < words.size(); ++i) {
    words_[i].store(words[i], std::memory_order_release);  // read with acquire in put()
  }
  version_.store(before + 2, std::memory_order_release);  // read with acquire in put()
}

}}}  // namespace trireme::http
