#include "runtime/system/real_log.h"

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <csignal>
#include <ctime>

namespace trireme { inline namespace v0 {
namespace {

constexpr int kLastWordsWait_ms = 200;

// From here to its end a write to a broken pipe raises no signal in this thread, and leaves none
// behind.
class WithoutSigpipe {
 public:
  WithoutSigpipe() {
    sigemptyset(&set_);
    sigaddset(&set_, SIGPIPE);
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    ::pthread_sigmask(SIG_BLOCK, &set_, &before_);
  }
  ~WithoutSigpipe() {
    constexpr timespec kAtOnce{};
    if (broken_ && !was_pending_) ::sigtimedwait(&set_, nullptr, &kAtOnce);
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  WithoutSigpipe(const WithoutSigpipe&) = delete;
  WithoutSigpipe& operator=(const WithoutSigpipe&) = delete;
  void note_broken() { broken_ = true; }

 private:
  sigset_t set_, before_;
  bool was_pending_ = false;
  bool broken_ = false;
};

// False: it goes nowhere.
bool wait_writable(int timeout_ms) {
  pollfd wanted{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
  int result = 0;
  do {
    result = ::poll(&wanted, 1, timeout_ms);
  } while (result < 0 && errno == EINTR);
  return result == 1 && (wanted.revents & POLLOUT) != 0;
}

}  // namespace

void write_to_standard_error(std::string_view text) {
  WithoutSigpipe without;
  while (!text.empty()) {
    const ssize_t count = ::write(STDERR_FILENO, text.data(), text.size());
    if (count > 0) {
      text.remove_prefix(static_cast<size_t>(count));
    } else if (errno == EAGAIN) {  // somebody has made it non-blocking
      if (!wait_writable(-1)) return;
    } else if (errno != EINTR) {
      if (errno == EPIPE) without.note_broken();
      return;
    }
  }
}

void write_last_words(std::string_view text) {
  WithoutSigpipe without;
  // A pipe that can be written takes PIPE_BUF bytes at once.
  if (!wait_writable(kLastWordsWait_ms)) return;
  if (::write(STDERR_FILENO, text.data(), text.substr(0, PIPE_BUF).size()) < 0 && errno == EPIPE) {
    without.note_broken();
  }
}

}}  // namespace trireme
