#include "runtime/drivers/driver.h"

#include <cerrno>
#include <cstring>

namespace trireme { inline namespace v0 {

Waiting waiting_at(Kernel& kernel, int fd) {
  // Not POLLPRI: a byte sent as urgent that stands alone is not received, and would wait for ever.
  constexpr short kInput = POLLIN | POLLRDHUP | POLLERR | POLLHUP;
  constexpr short kRoom = POLLOUT | POLLERR | POLLHUP;
  pollfd asked{fd, POLLIN | POLLRDHUP | POLLOUT, 0};
  if (kernel.poll({&asked, 1}, 0) < 0) return {true, true};
  return {(asked.revents & kInput) != 0, (asked.revents & kRoom) != 0};
}

Duration quiet_time_of(Kernel& kernel, int fd) {
  const int64_t ms = kernel.quiet_ms(fd);
  return ms < 0 ? Duration::max() : std::chrono::milliseconds(ms);
}

Sent send_file_to(Kernel& kernel, int socket, const FilePart& part, bool& is_full) {
  Sent sent;
  is_full = false;
  while (sent.bytes < part.bytes) {
    const ssize_t result =
        kernel.send_file(socket, part.file, part.offset + sent.bytes, part.bytes - sent.bytes);
    if (result == -EINTR) continue;
    if (result > 0) {
      sent.bytes += static_cast<size_t>(result);
      continue;
    }
    is_full = result == -EAGAIN;
    if (result == 0) sent.error = -ENODATA;
    if (result < 0 && !is_full) sent.error = static_cast<int>(result);
    break;
  }
  return sent;
}

std::string why_not_watched(int error) {
  if (error == ERANGE) {
    return "select watches descriptors below 1024 only; choose the driver epoll or poll, or open "
           "fewer descriptors";
  }
  if (error == EMFILE) {
    return "the descriptor limit is reached; raise it (ulimit -n), or choose fewer event loops";
  }
  if (error == ENOMEM) return "there is not enough memory, or too little may be locked (ulimit -l)";
  return std::strerror(error);
}

}}  // namespace trireme
