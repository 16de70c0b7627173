#include "tool/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>

namespace tool {
namespace {

constexpr size_t kColumnsMax = 10'000;
constexpr size_t kRoomMin = 30;  // beside a first column

std::string_view variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string_view() : std::string_view(value);
}

// Where a line goes on when it is broken.
size_t indent_of(std::string_view line, size_t columns) {
  const size_t begin = std::min(line.find_first_not_of(' '), line.size());
  const size_t gap = line.find("  ", begin);
  const size_t second = gap == line.npos ? line.npos : line.find_first_not_of(' ', gap);
  if (second != line.npos && second + kRoomMin <= columns) return second;
  return begin == 0 ? 0 : begin + 2;
}

void fit_line(std::string& out, std::string_view line, size_t columns) {
  const size_t indent = indent_of(line, columns);
  size_t room = columns;
  size_t first = std::min(line.find_first_not_of(' '), line.size());  // nothing to break before it
  while (line.size() > room) {
    size_t blank = line.rfind(' ', room);
    if (blank == line.npos || blank <= first) blank = line.find(' ', first);
    const size_t next = line.find_first_not_of(' ', blank);
    if (blank == line.npos || next == line.npos) break;
    out.append(line.substr(0, line.find_last_not_of(' ', blank) + 1)).append("\n");
    out.append(indent, ' ');
    line.remove_prefix(next);
    room = columns > indent ? columns - indent : 1;
    first = 0;
  }
  out.append(line);
}

}  // namespace

size_t columns_of(int fd) {
  const std::string_view told = variable("COLUMNS");
  size_t columns = 0;
  const char* const end = told.data() + told.size();
  const auto [stop, problem] = std::from_chars(told.data(), end, columns);
  if (problem == std::errc() && stop == end && columns > 0) return std::min(columns, kColumnsMax);
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return kUsualColumns;
}

std::string one_line(std::string text) {
  for (char& each : text) {
    const auto byte = static_cast<unsigned char>(each);
    if (byte < 0x20 || byte == 0x7f) each = '?';
  }
  return text;
}

bool can_redraw(int fd) {
  const std::string_view kind = variable("TERM");
  return ::isatty(fd) == 1 && !kind.empty() && kind != "dumb";
}

std::string fit(std::string_view text, size_t columns) {
  std::string out;
  for (;;) {
    const size_t size = std::min(text.find('\n'), text.size());
    fit_line(out, text.substr(0, size), columns);
    if (size == text.size()) return out;
    out += '\n';
    text.remove_prefix(size + 1);
  }
}

}  // namespace tool
