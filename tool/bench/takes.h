// How the texts behind options of `trireme bench` become values.
//
// Part of the tool, before a run; main thread. What is given as a target must outlive the Take.
#pragma once

#include <algorithm>
#include <charconv>
#include <chrono>
#include <functional>
#include <string>
#include <utility>

#include "load/framing.h"
#include "load/units.h"
#include "trireme/result.h"

namespace bench {

namespace tr = trireme;

using Take = std::function<tr::Result<tr::Done>(const std::string&)>;

inline tr::Error usage(std::string message) {
  return {tr::Error::Code::kUsage, std::move(message)};
}

// A whole number.
template <class T>
Take count(T& target, load::CountRange range) {
  return [&target, range](const std::string& text) -> tr::Result<tr::Done> {
    const auto number = load::parse_count(text, range);
    if (!number) return number.error();
    target = static_cast<T>(number.value());
    return tr::Done{};
  };
}

inline Take duration(std::chrono::nanoseconds& target, bool may_be_zero) {
  const load::DurationRange range{.min = may_be_zero ? std::chrono::nanoseconds(0)
                                                     : load::kDurationMin};
  return [&target, range](const std::string& text) -> tr::Result<tr::Done> {
    const auto time = load::parse_duration_in(text, range);
    if (!time) return time.error();
    target = time.value();
    return tr::Done{};
  };
}

inline Take number(double& target, double min, double max, const char* range) {
  return [&target, min, max, range](const std::string& text) -> tr::Result<tr::Done> {
    double value = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, problem] = std::from_chars(text.data(), end, value);
    if (problem != std::errc() || stop != end || !(value >= min && value <= max)) {
      return usage(std::string("expected a number ") + range + ", got \"" + text + "\"");
    }
    target = value;
    return tr::Done{};
  };
}

inline Take words(std::string& target) {
  return [&target](const std::string& text) -> tr::Result<tr::Done> {
    if (text.empty()) return usage("expected a text");
    target = text;
    return tr::Done{};
  };
}

inline Take size(uint64_t& target) {
  return [&target](const std::string& text) -> tr::Result<tr::Done> {
    const auto bytes = load::parse_size_in(text, {1, load::kMessageBytesMax});
    if (!bytes) return bytes.error();
    target = bytes.value();
    return tr::Done{};
  };
}

inline Take refuse(const char* why) {
  return [why](const std::string&) -> tr::Result<tr::Done> { return usage(why); };
}

// A word of a request line, which may have to begin so.
inline Take web_text(std::string& target, char first = '\0') {
  return [&target, first](const std::string& text) -> tr::Result<tr::Done> {
    const bool fits =
        std::all_of(text.begin(), text.end(), [](char byte) { return byte > ' ' && byte <= '~'; });
    if (text.empty() || !fits || (first != '\0' && text.front() != first)) {
      return usage(first == '\0' ? "expected a word" : "expected a path that begins with a slash");
    }
    target = text;
    return tr::Done{};
  };
}

// Whether it is a line "Name: value" of a head.
inline tr::Result<tr::Done> check_field(const std::string& text) {
  const size_t colon = text.find(':');
  const bool fits = std::all_of(text.begin(), text.end(), [](char byte) {
    return byte == '\t' || (byte >= ' ' && byte != 127);
  });
  const size_t blank = text.find_first_of(" \t");
  if (!fits || colon == text.npos || colon == 0 || (blank != text.npos && blank < colon)) {
    return usage("expected \"Name: value\", got \"" + text + "\"");
  }
  return tr::Done{};
}

}  // namespace bench
