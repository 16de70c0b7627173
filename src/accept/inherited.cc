#include "accept/inherited.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <utility>

namespace trireme { inline namespace v0 {
namespace {

constexpr int kFirstPassed = 3;  // SD_LISTEN_FDS_START
constexpr int kPassedMax = 1 << 16;
constexpr const char* kNameless = "unknown";  // what systemd calls a socket without a name

Error reason(std::string text) { return {Error::Code::kSystem, std::move(text)}; }

bool read_number(std::string_view text, int& number) {
  const auto [stop, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  return failure == std::errc() && stop == text.data() + text.size();
}

// How many were passed, and to this process.
Result<int> count_passed(Kernel& kernel) {
  const std::string count_text = kernel.environment("LISTEN_FDS");
  const std::string process = kernel.environment("LISTEN_PID");
  if (count_text.empty() || process.empty()) {
    return reason(
        "no sockets were passed (LISTEN_FDS and LISTEN_PID are not set); start it by a socket unit "
        "of systemd, or by systemd-socket-activate");
  }
  const std::string own = std::to_string(kernel.process_id());
  if (process != own) {
    return reason("the sockets were passed to process " + process + ", and this one is " + own +
                  " (LISTEN_PID); a program between must replace itself by this one (exec)");
  }
  int count = 0;
  if (!read_number(count_text, count) || count < 1 || count > kPassedMax)
    return reason("LISTEN_FDS must be a number, at least 1, and is '" + count_text + "'");
  return count;
}

// Of the sockets 3, 4, ...
std::vector<std::string> names_passed(Kernel& kernel, int count) {
  const std::string text = kernel.environment("LISTEN_FDNAMES");
  std::vector<std::string> names;
  for (size_t begin = 0; !text.empty() && begin <= text.size();) {
    const size_t end = std::min(text.find(':', begin), text.size());
    names.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  names.resize(static_cast<size_t>(count), kNameless);
  return names;
}

Error no_such_name(const std::string& name, const std::vector<std::string>& names) {
  std::string known;
  for (size_t i = 0; i < names.size(); ++i) {
    const auto end = names.begin() + static_cast<ptrdiff_t>(i);
    if (std::find(names.begin(), end, names[i]) != end) continue;
    known += (known.empty() ? "'" : ", '") + names[i] + "'";
  }
  return {Error::Code::kUsage, "no socket of the name '" + name + "' was passed; there are " +
                                   known + " (FileDescriptorName= of the socket unit)"};
}

std::string text_of(int fd) { return "descriptor " + std::to_string(fd); }

Error not_a_socket(int fd, int error) {
  if (error == EBADF) return reason(text_of(fd) + " is not open; it must be inherited");
  if (error == ENOTSOCK) return reason(text_of(fd) + " is no socket");
  return reason(text_of(fd) + " cannot be looked at: " + std::strerror(error));
}

}  // namespace

Result<std::vector<int>> passed_sockets(Kernel& kernel, const std::string& name) {
  const Result<int> count = count_passed(kernel);
  if (!count) return count.error();
  const std::vector<std::string> names = names_passed(kernel, count.value());
  std::vector<int> found;
  for (int i = 0; i < count.value(); ++i) {
    const int fd = kFirstPassed + i;
    const int error = -kernel.inherit(fd, false);
    if (error != 0) return not_a_socket(fd, error);
    if (name.empty() || names[static_cast<size_t>(i)] == name) found.push_back(fd);
  }
  if (found.empty()) return no_such_name(name, names);
  return found;
}

Result<SocketAddress> take_inherited(Kernel& kernel, int fd) {
  int type = 0, listens = 0;
  int error = -kernel.get_option(fd, SOL_SOCKET, SO_TYPE, type);
  if (error != 0) return not_a_socket(fd, error);
  if (type != SOCK_STREAM) {
    return reason(text_of(fd) + " is no stream socket; a socket unit needs ListenStream=");
  }
  error = -kernel.get_option(fd, SOL_SOCKET, SO_ACCEPTCONN, listens);
  if (error != 0) return not_a_socket(fd, error);
  if (listens == 0) {
    return reason(text_of(fd) +
                  " does not listen; a socket unit needs Accept=no, and other "
                  "programs call listen(2) before they start this one");
  }
  SocketAddress address;
  error = -kernel.local_address(fd, address);
  if (error != 0) return not_a_socket(fd, error);
  const int family = address.storage.ss_family;
  if (family != AF_INET && family != AF_INET6 && family != AF_UNIX)
    return reason(text_of(fd) + " is of a family that is neither IPv4, IPv6 nor unix");
  error = -kernel.inherit(fd, true);
  if (error != 0) return not_a_socket(fd, error);
  return address;
}

}}  // namespace trireme
