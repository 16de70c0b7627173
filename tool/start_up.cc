#include "tool/start_up.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <initializer_list>

namespace tool {
namespace {

std::atomic<int> status_at_signal{0};  // a signal handler reaches nothing but globals

// The wrong way round, so that who reads or writes there fails as before.
void fill_standard_descriptors() {
  for (const int wanted : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(wanted, F_GETFD) >= 0 || errno != EBADF) continue;
    if (::open("/dev/null", wanted == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0) {
      ::open("/", O_PATH | O_DIRECTORY);
    }
  }
}

// Says so if that does not block: a full pipe must not keep the process alive.
void end_at_once(int) {
  constexpr char kLine[] = "trireme: ended by a signal before it was ready\n";
  pollfd out{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
  if (::poll(&out, 1, 0) == 1 && (out.revents & POLLOUT) != 0 &&
      ::write(STDERR_FILENO, kLine, sizeof kLine - 1) < 0) {
    _exit(status_at_signal.load());
  }
  _exit(status_at_signal.load());
}

void act_at_both(void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  sigfillset(&action.sa_mask);
  ::sigaction(SIGTERM, &action, nullptr);
  ::sigaction(SIGINT, &action, nullptr);
}

void mask(int how, std::initializer_list<int> numbers) {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : numbers) sigaddset(&set, number);
  ::sigprocmask(how, &set, nullptr);
}

}  // namespace

void start_up(int status) {
  status_at_signal = status;
  act_at_both(end_at_once);
  mask(SIG_UNBLOCK, {SIGTERM, SIGINT});
  fill_standard_descriptors();
}

void hold_hang_up() { mask(SIG_BLOCK, {SIGHUP}); }

// By default afterwards: run() puts that off, so that the last signal does not change its status.
SignalsHeld::SignalsHeld() {
  mask(SIG_BLOCK, {SIGTERM, SIGINT});
  act_at_both(SIG_DFL);
}

SignalsHeld::~SignalsHeld() { mask(SIG_UNBLOCK, {SIGTERM, SIGINT}); }

}  // namespace tool
