// The two system calls of every request, without libc, and in the place where they are made.
//
// Step: below all steps. Thread: any. For who asks Kernel::is_real() first.
//
// In a process with threads libc makes cancellation points of them. And a function that made a
// system call returns to where the processor does not expect it: the kernel's measures against
// speculation have used up the stack of return addresses. So every frame between a loop and its
// system call costs some nanoseconds, on each way back.
#pragma once

#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <cstddef>
#include <span>

namespace trireme { inline namespace v0 {

// The thread sanitizer must see the calls of libc: bytes that travel through a socket order what
// was written before. Other processors have their calls in libc only.
#if defined(__has_feature)
#define TRIREME_HAS_THREAD_SANITIZER __has_feature(thread_sanitizer)
#else
#define TRIREME_HAS_THREAD_SANITIZER 0
#endif
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__) && !TRIREME_HAS_THREAD_SANITIZER
inline constexpr bool kHasRealCalls = true;

// A system call with six arguments, of which the last two are 0. Its result, or -errno.
[[gnu::always_inline]] inline ssize_t real_call(long number, long first, const void* second,
                                                size_t third, long fourth) {
  register long r10 __asm__("r10") = fourth;
  register long r8 __asm__("r8") = 0;
  register long r9 __asm__("r9") = 0;
  __asm__ volatile("syscall"
                   : "+a"(number)
                   : "D"(first), "S"(second), "d"(third), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return number;
}
// recv(2), and send(2) with MSG_NOSIGNAL.
[[gnu::always_inline]] inline ssize_t real_receive(int fd, std::span<char> into) {
  return real_call(SYS_recvfrom, fd, into.data(), into.size(), 0);
}
[[gnu::always_inline]] inline ssize_t real_send(int fd, const iovec& from) {
  return real_call(SYS_sendto, fd, from.iov_base, from.iov_len, MSG_NOSIGNAL);
}
#else
inline constexpr bool kHasRealCalls = false;
// Never called.
inline ssize_t real_receive(int, std::span<char>) { return -1; }
inline ssize_t real_send(int, const iovec&) { return -1; }
#endif
#undef TRIREME_HAS_THREAD_SANITIZER

}}  // namespace trireme
