// A pipe that is full, and that nobody reads until the test does.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <string>

namespace support {

class UnreadPipe {
 public:
  UnreadPipe() {
    if (::pipe2(fds_, O_CLOEXEC) != 0) return;
    ::fcntl(fds_[0], F_SETFL, O_NONBLOCK);
    ::fcntl(fds_[1], F_SETFL, O_NONBLOCK);
    while (::write(fds_[1], "~", 1) == 1) {
    }
    ::fcntl(fds_[1], F_SETFL, 0);  // who writes now blocks
  }
  ~UnreadPipe() {
    close_read();
    ::close(fds_[1]);
  }
  UnreadPipe(const UnreadPipe&) = delete;
  UnreadPipe& operator=(const UnreadPipe&) = delete;

  int write_end() const { return fds_[1]; }
  // What is in it, without what filled it.
  std::string read_all() {
    std::string text(1 << 17, '\0');
    const ssize_t count = ::read(fds_[0], text.data(), text.size());
    text.resize(count > 0 ? static_cast<size_t>(count) : 0);
    text.erase(0, text.find_first_not_of('~'));
    return text;
  }
  void close_read() {
    if (fds_[0] >= 0) ::close(fds_[0]);
    fds_[0] = -1;
  }

 private:
  int fds_[2] = {-1, -1};
};

}  // namespace support
