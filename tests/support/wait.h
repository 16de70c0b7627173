// Waiting for conditions with a deadline, so that no test sleeps and none hangs.
#pragma once

#include <chrono>
#include <functional>

namespace support {

using Clock = std::chrono::steady_clock;

// Long enough for a loaded machine under a sanitizer; a test that works never waits for it.
inline constexpr std::chrono::seconds kDeadline{20};

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define TRIREME_TESTS_ARE_SLOW 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define TRIREME_TESTS_ARE_SLOW 1
#endif
#endif
#ifdef TRIREME_TESTS_ARE_SLOW
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif
#if defined(TRIREME_TESTS_ARE_SLOW) || defined(TRIREME_FORCE_HANDOVER)
inline constexpr int kSlowness = 20;
#else
inline constexpr int kSlowness = 1;
#endif

#ifdef TRIREME_FORCE_HANDOVER
inline constexpr bool kForcedHandOver = true;
#else
inline constexpr bool kForcedHandOver = false;
#endif

// `count` repetitions, fewer where each one costs many times as much.
constexpr int scaled(int count) { return count >= kSlowness ? count / kSlowness : 1; }

// Looks every millisecond. False when `deadline` has passed and `condition` still does not hold.
bool wait_until(const std::function<bool()>& condition,
                std::chrono::nanoseconds deadline = kDeadline);

// Returns when `time` has passed: for what must not happen meanwhile.
void let_pass(std::chrono::nanoseconds time);

}  // namespace support
