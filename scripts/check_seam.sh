#!/usr/bin/env bash
# Proves with nm that only real_*.cc objects of the library reach the operating system: everything
# else goes through Kernel, Clock, Threads (DESIGN: the seams), so a simulator can stand in for it.
#
#   scripts/check_seam.sh LIBRARY.a      status 1 and one line a violation
#   scripts/check_seam.sh --self-test    builds one that cheats in many ways; all must be found
set -euo pipefail

calls=(
  # sockets
  socket socketpair bind listen accept accept4 connect shutdown getsockopt setsockopt
  getsockname getpeername recv recvfrom recvmsg recvmmsg send sendto sendmsg sendmmsg sendfile
  getaddrinfo freeaddrinfo getnameinfo gethostbyname splice tee
  # files and descriptors
  open openat creat close close_range read readv pread preadv preadv2 write writev pwrite pwritev
  lseek dup dup2 dup3 fcntl ioctl pipe pipe2 stat fstat lstat unlink unlinkat rename chmod fchmod
  chown fchmodat lchown fchown fchownat mkdir fopen fdopen freopen fsync fdatasync ftruncate opendir
  # readiness, timers, signals
  'epoll_[a-z0-9_]+' poll ppoll select pselect eventfd eventfd_read eventfd_write
  'timerfd_[a-z]+' signalfd inotify_init1 'io_uring_[a-z_]+' signal sigaction sigprocmask
  pthread_sigmask sigwait sigwaitinfo sigtimedwait kill tgkill raise alarm setitimer
  # time and random numbers
  clock_gettime clock_nanosleep clock_getres nanosleep usleep sleep gettimeofday time
  getrandom getentropy random srandom rand srand arc4random
  '_ZNSt6chrono.*_clock3nowEv' '_ZNSt13random_device.*'
  # threads
  syscall futex 'pthread_create' pthread_join pthread_detach pthread_self pthread_kill
  pthread_setname_np pthread_getname_np 'pthread_cond_[a-z]+' 'pthread_.*affinity_np' 'sem_[a-z]+'
  'sched_[a-z_]+' 'prctl' gettid thrd_create
  '_ZNSt6thread.*' '_ZNSt18condition_variable.*' '_ZNSt22condition_variable_any.*'
  '_ZNSt11this_thread.*' '_ZSt.*async.*'
  # the process
  fork vfork 'exec[vl][pe]*' posix_spawn waitpid waitid getrlimit setrlimit prlimit getrusage
  mmap munmap madvise personality setuid setgid daemon __errno_location
  getenv secure_getenv getpid getppid 'getpw[a-z_]+' 'getgr[a-z_]+'
  # the same behind the standard library
  '_ZNSt13basic_filebuf.*' '_ZNSt1[34]basic_[io]*fstream.*' '_ZNSt10filesystem.*' _ZSt4cout _ZSt3cin
)

check() {
  local pattern
  pattern=$(printf '%s|' "${calls[@]}")
  # A wrapper may carry a 64 behind its name, or __ and _chk around it when fortified.
  pattern="^(__)?(${pattern%|})(64)?(_chk)?$"
  nm --undefined-only -A "$1" | awk -v pattern="$pattern" '
    { split($1, part, ":"); object = part[2]; symbol = $NF; sub(/@.*/, "", symbol) }
    object != last { objects++; last = object }
    object !~ /^real_/ && symbol ~ pattern {
      print object ": calls " symbol ", which only real_*.cc may"; bad++
    }
    END {
      if (!objects) { print "no object in the library"; exit 2 }
      if (bad) { print bad " violations"; exit 1 }
      print objects " objects; only real_*.cc reach the operating system"
    }'
}

self_test() {
  dir=$(mktemp -d)
  trap 'rm -rf "$dir"' EXIT
  cat >"$dir/cheat.cc" <<'CODE'
#include <sys/socket.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <fcntl.h>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <fstream>
#include <mutex>
#include <thread>
int cheat() {
  std::thread thread([] {});
  thread.join();
  std::mutex mutex;
  std::unique_lock lock(mutex);
  std::condition_variable().wait(lock);
  std::ofstream("x") << std::chrono::steady_clock::now().time_since_epoch().count();
  std::this_thread::sleep_for(std::chrono::seconds(1));
  return socket(1, 2, 3) + epoll_create1(0) + int(write(1, "", 0)) + open("x", 0) + errno +
         int(syscall(1));
}
CODE
  echo 'int honest(int x) { return x + 1; }' >"$dir/honest.cc"
  local file
  for file in cheat honest; do ${CXX:-c++} -std=c++20 -c "$dir/$file.cc" -o "$dir/$file.cc.o"; done
  cp "$dir/cheat.cc.o" "$dir/real_cheat.cc.o"
  ar rc "$dir/good.a" "$dir/honest.cc.o" "$dir/real_cheat.cc.o"
  ar rc "$dir/bad.a" "$dir/honest.cc.o" "$dir/cheat.cc.o"
  ar rc "$dir/empty.a"
  check "$dir/good.a"
  if check "$dir/empty.a"; then echo "an empty library passed"; return 1; fi
  if check "$dir/bad.a" >"$dir/found"; then echo "the cheat passed"; return 1; fi
  local call
  for call in socket epoll_create1 write open __errno_location syscall nanosleep \
              steady_clock3now 6thread 18condition_variable basic_ofstream; do
    grep -q "cheat.cc.o: calls .*$call" "$dir/found" || { echo "$call was not found"; return 1; }
  done
  echo "every cheat was found"
}

case ${1:-} in
  --self-test) self_test ;;
  ?*) check "$1" ;;
  *) sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
