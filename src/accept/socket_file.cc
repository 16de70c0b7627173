#include "accept/socket_file.h"

#include <cerrno>
#include <charconv>
#include <cstring>
#include <functional>
#include <optional>
#include <utility>

namespace trireme { inline namespace v0 {
namespace {

constexpr int kTriesMax = 3;  // files that others make and remove at the same moment

Error file_error(std::string text) { return {Error::Code::kSystem, std::move(text)}; }

std::string why_no_file(int error) {
  if (error == ENOENT) return "its folder does not exist";
  if (error == ENOTDIR) return "a part of its path is no folder";
  if (error == EACCES) return "permission denied for its folder";
  if (error == EROFS) return "its file system is read-only";
  return std::strerror(error);
}

// What connect(2) says of whoever listens at a socket file.
enum class Liveness { kDead, kLives, kGone, kUnknown };

Liveness ask_whether_alive(Kernel& kernel, const SocketAddress& address, int& error) {
  const int fd = kernel.socket(AF_UNIX, SOCK_STREAM);
  error = fd < 0 ? -fd : -kernel.connect(fd, address);
  if (fd >= 0) kernel.close(fd);
  if (fd < 0) return Liveness::kUnknown;
  if (error == ECONNREFUSED) return Liveness::kDead;
  if (error == ENOENT) return Liveness::kGone;
  // EAGAIN: its backlog is full. EPROTOTYPE: it takes datagrams. EACCES: it is not for us.
  if (error == 0 || error == EAGAIN || error == EPROTOTYPE || error == EACCES)
    return Liveness::kLives;
  return Liveness::kUnknown;
}

// The path is taken. Nothing: it is free now.
std::optional<Error> clear_path(Kernel& kernel, const Endpoint& endpoint) {
  FileStatus found;
  int error = -kernel.file_status(endpoint.name, found);
  if (error == ENOENT) return {};
  if (error != 0) return file_error(why_no_file(error));
  if (!found.is_socket) {
    return file_error("there is a file that is no socket; choose another path, or remove it");
  }
  switch (ask_whether_alive(kernel, endpoint.address, error)) {
    case Liveness::kGone:
      return {};
    case Liveness::kLives:
      return file_error("a server listens there already; choose another path, or stop that one");
    case Liveness::kUnknown:
      return file_error("it cannot be said whether a server listens there (" +
                        std::string(std::strerror(error)) + "); remove the file if none does");
    case Liveness::kDead:
      break;
  }
  // Another server may have replaced it meanwhile.
  FileStatus now;
  error = -kernel.file_status(endpoint.name, now);
  const bool is_same = error == 0 && now.device == found.device && now.inode == found.inode;
  if (error == ENOENT || (error == 0 && !is_same)) return {};
  if (error == 0) error = -kernel.remove_file(endpoint.name);
  if (error == 0 || error == ENOENT) return {};
  return file_error("a server that has died left its socket there, which cannot be removed: " +
                    why_no_file(error));
}

// A name or a number. UINT32_MAX for an empty one.
Result<uint32_t> id_of(const std::string& name, const char* what,
                       const std::function<int64_t()>& look_up) {
  if (name.empty()) return UINT32_MAX;
  uint32_t number = 0;
  const char* const end = name.data() + name.size();
  const auto [stop, failure] = std::from_chars(name.data(), end, number);
  if (failure == std::errc() && stop == end && number != UINT32_MAX) return number;
  const int64_t found = look_up();
  if (found >= 0) return static_cast<uint32_t>(found);
  return file_error("there is no " + std::string(what) + " '" + name + "'");
}

Result<Done> set_access(Kernel& kernel, const SocketFile& file, const SocketOptions& options,
                        uint32_t mode_now) {
  const Result<uint32_t> user =
      id_of(options.user, "user", [&] { return kernel.user_id(options.user); });
  if (!user) return user.error();
  const Result<uint32_t> group =
      id_of(options.group, "group", [&] { return kernel.group_id(options.group); });
  if (!group) return group.error();
  if (user.value() != UINT32_MAX || group.value() != UINT32_MAX) {
    const int error = -kernel.set_file_owner(file.path, user.value(), group.value());
    if (error != 0) {
      return file_error(
          "its owner cannot be changed: " + std::string(std::strerror(error)) +
          (error == EPERM ? "; that needs CAP_CHOWN, or a group of this process" : ""));
    }
  }
  if (!options.mode || *options.mode == mode_now) return Done{};
  const int error = -kernel.set_file_mode(file.path, *options.mode);
  if (error == 0) return Done{};
  return file_error("its mode cannot be set: " + std::string(std::strerror(error)));
}

}  // namespace

// The mode is set at the socket first: bind gives the file that one, without what the umask takes
// away, so it never has more than was asked for.
Result<SocketFile> bind_file(Kernel& kernel, int fd, const Endpoint& endpoint,
                             const SocketOptions& options) {
  if (options.mode) {
    const int error = -kernel.set_mode(fd, *options.mode);
    if (error != 0)
      return file_error("its mode cannot be set: " + std::string(std::strerror(error)));
  }
  int error = -kernel.bind(fd, endpoint.address);
  for (int tries = 0; error == EADDRINUSE && tries < kTriesMax; ++tries) {
    if (std::optional<Error> taken = clear_path(kernel, endpoint)) return *taken;
    error = -kernel.bind(fd, endpoint.address);
  }
  if (error == EADDRINUSE)
    return file_error("others make a socket there, too; choose another path");
  if (error != 0) return file_error(why_no_file(error));
  FileStatus made;
  error = -kernel.file_status(endpoint.name, made);
  if (error != 0) {
    kernel.remove_file(endpoint.name);
    return file_error("its file is gone: " + std::string(std::strerror(error)));
  }
  const SocketFile file{.path = endpoint.name, .device = made.device, .inode = made.inode};
  Result<Done> set = set_access(kernel, file, options, made.mode);
  if (set) return file;
  remove_file(kernel, file);
  return set.error();
}

int remove_file(Kernel& kernel, const SocketFile& file) {
  FileStatus now;
  const int result = kernel.file_status(file.path, now);
  if (result == -ENOENT) return 0;
  if (result < 0) return result;
  if (now.device != file.device || now.inode != file.inode) return 0;
  return kernel.remove_file(file.path);
}

}}  // namespace trireme
