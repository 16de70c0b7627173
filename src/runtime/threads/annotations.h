// Names for clang's thread-safety analysis (clang.llvm.org/docs/ThreadSafetyAnalysis.html); nothing
// under g++.
//
// Step: below all steps. The event loop is a capability: code that touches loop state must hold it.
#pragma once

#if defined(__clang__)
#define TRIREME_ATTRIBUTE(x) __attribute__((x))
#else
#define TRIREME_ATTRIBUTE(x)
#endif

#define CAPABILITY(x) TRIREME_ATTRIBUTE(capability(x))
#define SCOPED_CAPABILITY TRIREME_ATTRIBUTE(scoped_lockable)
#define GUARDED_BY(x) TRIREME_ATTRIBUTE(guarded_by(x))
#define PT_GUARDED_BY(x) TRIREME_ATTRIBUTE(pt_guarded_by(x))
#define REQUIRES(...) TRIREME_ATTRIBUTE(requires_capability(__VA_ARGS__))
#define ACQUIRE(...) TRIREME_ATTRIBUTE(acquire_capability(__VA_ARGS__))
#define RELEASE(...) TRIREME_ATTRIBUTE(release_capability(__VA_ARGS__))
#define TRY_ACQUIRE(...) TRIREME_ATTRIBUTE(try_acquire_capability(__VA_ARGS__))
#define ASSERT_CAPABILITY(x) TRIREME_ATTRIBUTE(assert_capability(x))
#define RETURN_CAPABILITY(x) TRIREME_ATTRIBUTE(lock_returned(x))
#define EXCLUDES(...) TRIREME_ATTRIBUTE(locks_excluded(__VA_ARGS__))
#define NO_THREAD_SAFETY_ANALYSIS TRIREME_ATTRIBUTE(no_thread_safety_analysis)
