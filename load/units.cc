#include "load/units.h"

#include <array>
#include <charconv>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

namespace load {
namespace {

struct Unit {
  std::string_view name;
  uint64_t factor;
};

struct Quantity {
  uint64_t number;
  std::string_view unit;
};

// A number without a sign, and what stands behind it.
std::optional<Quantity> split(std::string_view text) {
  const char* const end = text.data() + text.size();
  uint64_t number = 0;
  const auto [stop, problem] = std::from_chars(text.data(), end, number);
  if (problem != std::errc()) return std::nullopt;
  return Quantity{number, text.substr(static_cast<size_t>(stop - text.data()))};
}

// Nothing if the unit is not one of `units` or the product is over `max`.
template <size_t kCount>
std::optional<uint64_t> multiply(const Quantity& quantity, const std::array<Unit, kCount>& units,
                                 uint64_t max) {
  for (const Unit& unit : units) {
    if (unit.name == quantity.unit) {
      if (quantity.number > max / unit.factor) return std::nullopt;
      return quantity.number * unit.factor;
    }
  }
  return std::nullopt;
}

constexpr std::array<Unit, 5> kTimeUnits = {{{"us", 1'000},
                                             {"ms", 1'000'000},
                                             {"s", 1'000'000'000},
                                             {"m", 60'000'000'000},
                                             {"h", 3'600'000'000'000}}};
constexpr std::array<Unit, 4> kSizeUnits = {
    {{"", 1}, {"KiB", 1u << 10}, {"MiB", 1u << 20}, {"GiB", 1u << 30}}};
constexpr uint64_t kSizeMax = uint64_t{1} << 50;

// In the largest unit that divides it.
template <size_t kCount>
std::string shown(uint64_t value, const std::array<Unit, kCount>& units) {
  size_t best = 0;
  for (size_t i = 1; i < kCount; ++i) {
    if (value % units[i].factor == 0) best = i;
  }
  return std::to_string(value / units[best].factor).append(units[best].name);
}

tr::Error expected(std::string_view what, std::string_view text) {
  return {tr::Error::Code::kUsage,
          std::string("expected ").append(what).append(", got \"").append(text).append("\"")};
}

}  // namespace

tr::Result<std::chrono::nanoseconds> parse_duration(std::string_view text) {
  return parse_duration_in(text, {});
}

tr::Result<std::chrono::nanoseconds> parse_duration_in(std::string_view text, DurationRange range) {
  std::optional<uint64_t> nanoseconds;
  if (text == "0") nanoseconds = 0;
  if (const auto quantity = split(text); quantity && !nanoseconds) {
    nanoseconds = multiply(*quantity, kTimeUnits, static_cast<uint64_t>(kDurationMax.count()));
  }
  const std::chrono::nanoseconds time(static_cast<int64_t>(nanoseconds.value_or(0)));
  if (nanoseconds && time >= range.min && time <= range.max) return time;

  std::string what = "a duration such as";
  const char* comma = " ";
  for (const std::string_view example : {"250us", "10ms", "5s", "2m", "1h"}) {
    const auto quantity = split(example);
    const auto value = static_cast<int64_t>(
        multiply(*quantity, kTimeUnits, static_cast<uint64_t>(kDurationMax.count())).value_or(0));
    if (value < range.min.count() || value > range.max.count()) continue;
    what.append(std::exchange(comma, ", ")).append(example);
  }
  if (range.min.count() == 0) what += " or 0";
  if (range.min.count() > 0)
    what += ", at least " + shown(static_cast<uint64_t>(range.min.count()), kTimeUnits);
  what += ", at most ";
  what += range.max == kDurationMax ? "a year"
                                    : shown(static_cast<uint64_t>(range.max.count()), kTimeUnits);
  return expected(what, text);
}

tr::Result<uint64_t> parse_size(std::string_view text) {
  return parse_size_in(text, {0, kSizeMax});
}

tr::Result<uint64_t> parse_size_in(std::string_view text, SizeRange range) {
  std::optional<uint64_t> bytes;
  if (const auto quantity = split(text)) bytes = multiply(*quantity, kSizeUnits, kSizeMax);
  if (bytes && *bytes >= range.min && *bytes <= range.max) return *bytes;
  std::string what = "a size such as 64KiB, 1MiB or a number of bytes";
  if (range.min > 0) what += ", at least " + std::to_string(range.min);
  what += ", at most " + shown(range.max, kSizeUnits);
  return expected(what, text);
}

tr::Result<uint64_t> parse_count(std::string_view text, CountRange range) {
  const auto quantity = split(text);
  if (!quantity || !quantity->unit.empty() || quantity->number < range.min ||
      quantity->number > range.max) {
    return expected(
        "a number from " + std::to_string(range.min) + " to " + std::to_string(range.max), text);
  }
  return quantity->number;
}

}  // namespace load
