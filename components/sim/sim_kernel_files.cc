// The calls of the simulated kernel that concern files, those of unix sockets among them, and
// options that are asked for. A world has one folder, of which all is told by Network::names and
// Network::files.
#include <fcntl.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "sim/fail.h"
#include "sim/file.h"
#include "sim/sim_kernel.h"
#include "sim/stream_socket.h"

namespace trireme { inline namespace v0 { namespace sim {

int SimKernel::set_text_option(int fd, int level, int name, std::string_view value) {
  return call(Call::kSetOption, fd, int64_t{level} << 32 | name,
              [&] { return socket_of(fd, "setsockopt")->set_text_option(level, name, value); });
}

int SimKernel::get_option(int fd, int level, int name, int& value) {
  return call(Call::kGetOption, fd, int64_t{level} << 32 | name, [&]() -> int {
    const auto socket = socket_of(fd, "getsockopt");
    if (level != SOL_SOCKET) return -ENOPROTOOPT;
    if (name == SO_TYPE) value = SOCK_STREAM;
    if (name == SO_ACCEPTCONN) value = socket->is_listening() ? 1 : 0;
    return name == SO_TYPE || name == SO_ACCEPTCONN ? 0 : -ENOPROTOOPT;
  });
}

int SimKernel::peer_credentials(int fd, Credentials& peer) {
  return call(Call::kPeerCredentials, fd, 0, [&] {
    peer = socket_of(fd, "SO_PEERCRED")->peer_credentials();
    return 0;
  });
}

// There is no exec here, and no descriptor that blocks.
int SimKernel::inherit(int fd, bool non_blocking) {
  return call(Call::kInherit, fd, non_blocking ? 1 : 0, [&] {
    object_of(fd, "fcntl");
    return 0;
  });
}

int SimKernel::set_mode(int fd, uint32_t mode) {
  return call(Call::kSetMode, fd, mode, [&] {
    socket_of(fd, "fchmod")->set_mode(mode);
    return 0;
  });
}

// Of a file in the world's folder, or -ENOENT.
template <typename Body>
int SimKernel::with_file(Call name, const std::string& path, int64_t argument, Body body) {
  return call(name, argument, 0, [&]() -> int {
    const auto found = network_.names.find(path);
    if (found == network_.names.end() || path.starts_with('@')) return -ENOENT;
    body(found);
    return 0;
  });
}

int SimKernel::file_status(const std::string& path, FileStatus& status) {
  return with_file(Call::kFileStatus, path, 0, [&](const auto& found) {
    status = {
        .device = 1, .inode = found->second.inode, .mode = found->second.mode, .is_socket = true};
  });
}

int SimKernel::remove_file(const std::string& path) {
  return with_file(Call::kRemoveFile, path, 0,
                   [&](const auto& found) { network_.names.erase(found); });
}

int SimKernel::set_file_mode(const std::string& path, uint32_t mode) {
  return with_file(Call::kSetFileMode, path, mode,
                   [&](const auto& found) { found->second.mode = mode; });
}

int SimKernel::set_file_owner(const std::string& path, uint32_t user, uint32_t group) {
  return with_file(Call::kSetFileOwner, path, int64_t{user} << 32 | group, [](const auto&) {});
}

std::shared_ptr<File> SimKernel::file_of(int fd, const char* call) const {
  auto file = std::dynamic_pointer_cast<File>(object_of(fd, call));
  if (file == nullptr) {
    fail(std::string(call) + " was called on descriptor " + std::to_string(fd) +
         ", which is no file.");
  }
  return file;
}

int SimKernel::open_file(const std::string& path) {
  return call(Call::kOpenFile, 0, 0, [&]() -> int {
    const auto found = network_.files.find(path);
    return found == network_.files.end() ? -ENOENT : open(std::make_shared<File>(found->second));
  });
}

int SimKernel::file_facts(int fd, FileFacts& facts) {
  return call(Call::kFileFacts, fd, 0, [&] {
    const FileContent& content = file_of(fd, "fstat")->content();
    facts = {.bytes = content.bytes.size(),
             .modified_ns = 0,
             .device = 1,
             .inode = content.inode,
             .is_regular = true,
             .is_folder = false};
    return 0;
  });
}

ssize_t SimKernel::read_file(int fd, uint64_t offset, std::span<const iovec> into, bool may_wait) {
  return call(Call::kReadFile, fd, static_cast<int64_t>(offset), [&]() -> ssize_t {
    const auto file = file_of(fd, "preadv2");
    if (!may_wait && faults_.file_cold > 0 && random_.chance(faults_.file_cold, 10'000))
      return -EAGAIN;
    size_t read = 0;
    for (const iovec& piece : into) {
      const std::string_view part = file->part(offset + read, piece.iov_len);
      std::memcpy(piece.iov_base, part.data(), part.size());
      read += part.size();
    }
    return static_cast<ssize_t>(read);
  });
}

ssize_t SimKernel::send_file(int socket, int fd, uint64_t offset, size_t bytes) {
  return call(Call::kSendFile, socket, static_cast<int64_t>(bytes), [&]() -> ssize_t {
    const auto to = socket_of(socket, "sendfile");
    const std::string_view part = file_of(fd, "sendfile")->part(offset, bytes);
    if (part.empty()) return 0;
    if (happens(FaultKind::kInterrupted, faults_.interrupted)) return -EINTR;
    if (happens(FaultKind::kSendNoBuffers, faults_.send_no_buffers)) return -ENOBUFS;
    scheduler_.trace().add_bytes(part);
    const iovec piece{const_cast<char*>(part.data()), part.size()};
    return to->send({&piece, 1});
  });
}

}}}  // namespace trireme::sim
