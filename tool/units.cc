#include "tool/units.h"

#include <array>
#include <charconv>
#include <optional>
#include <string>
#include <system_error>

namespace tool {
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

tr::Error expected(std::string_view what, std::string_view text) {
  return {tr::Error::Code::kUsage,
          std::string("expected ").append(what).append(", got \"").append(text).append("\"")};
}

}  // namespace

tr::Result<std::chrono::nanoseconds> parse_duration(std::string_view text) {
  static constexpr std::array<Unit, 5> kUnits = {{{"us", 1'000},
                                                  {"ms", 1'000'000},
                                                  {"s", 1'000'000'000},
                                                  {"m", 60'000'000'000},
                                                  {"h", 3'600'000'000'000}}};
  // A year: longer than any clock of a server, and far from where nanoseconds overflow.
  static constexpr uint64_t kMax = uint64_t{365 * 24} * 3'600'000'000'000;
  if (text == "0") return std::chrono::nanoseconds(0);
  std::optional<uint64_t> nanoseconds;
  if (const auto quantity = split(text)) nanoseconds = multiply(*quantity, kUnits, kMax);
  if (!nanoseconds)
    return expected("a duration such as 10ms, 5s, 2m, 1h or 0, at most a year", text);
  return std::chrono::nanoseconds(static_cast<int64_t>(*nanoseconds));
}

tr::Result<uint64_t> parse_size(std::string_view text) {
  static constexpr std::array<Unit, 4> kUnits = {
      {{"", 1}, {"KiB", 1u << 10}, {"MiB", 1u << 20}, {"GiB", 1u << 30}}};
  static constexpr uint64_t kMax = uint64_t{1} << 50;
  std::optional<uint64_t> bytes;
  if (const auto quantity = split(text)) bytes = multiply(*quantity, kUnits, kMax);
  if (!bytes) return expected("a size such as 64KiB, 1MiB, 2GiB or a number of bytes", text);
  return *bytes;
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

}  // namespace tool
