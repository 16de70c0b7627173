#include "services/delay.h"

#include <cerrno>
#include <charconv>
#include <cstdint>
#include <ctime>
#include <utility>

#include "trireme/codec.h"

namespace services {
namespace {

constexpr size_t kIdBytesMax = 64;
constexpr uint32_t kMicrosecondsMax = 60'000'000;
// The line codec takes the line's own end away, so a stray carriage return is as blank as a tab.
bool is_blank(char byte) { return byte == ' ' || (byte >= '\t' && byte <= '\r'); }

}  // namespace

void blocking_sleep(std::chrono::nanoseconds time) {
  // std::chrono::steady_clock is CLOCK_MONOTONIC; an absolute deadline does not drift when a signal
  // makes the call return early.
  const auto deadline = (std::chrono::steady_clock::now() + time).time_since_epoch();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(deadline);
  timespec until{};
  until.tv_sec = seconds.count();
  until.tv_nsec = std::chrono::nanoseconds(deadline - seconds).count();
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) == EINTR) {
  }
}

tr::Answer answer_delay(std::string_view line, const Sleep& sleep) {
  // A loop, not find_first_of: IDs are a few bytes long.
  size_t space = 0;
  while (space < line.size() && !is_blank(line[space])) ++space;
  if (space == line.size() ||
      (line[space] != ' ' && line.find(' ', space) == std::string_view::npos)) {
    return tr::error("expected ID MICROSECONDS");
  }
  const std::string_view id = line.substr(0, space);
  if (id.empty() || id.size() > kIdBytesMax || line[space] != ' ') {
    return tr::error("ID must be 1 to 64 bytes without blanks");
  }

  // An unsigned from_chars takes digits only: no sign, no blank, no base prefix.
  const std::string_view digits = line.substr(space + 1);
  const char* const end = digits.data() + digits.size();
  uint32_t microseconds = 0;
  const auto [stop, problem] = std::from_chars(digits.data(), end, microseconds);
  if (problem != std::errc() || stop != end || microseconds > kMicrosecondsMax) {
    return tr::error("MICROSECONDS must be a decimal number from 0 to 60000000 behind one space");
  }

  if (microseconds > 0) sleep(std::chrono::microseconds(microseconds));
  return tr::borrow(id);  // a part of the request
}

void add_delay(tr::Server& server, const std::string& url, const tr::ListenOptions& options,
               Sleep sleep) {
  auto delay = [sleep = std::move(sleep)](const tr::Request& request) -> tr::Answer {
    return answer_delay(request.text(), sleep);
  };
  server.listen(url, tr::lines(), std::move(delay), options);
}

}  // namespace services
