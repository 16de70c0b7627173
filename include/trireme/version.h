// The version of these headers, for the preprocessor and for code. Before 1.0 a minor version may
// change the interface.
#pragma once

#define TRIREME_VERSION_MAJOR 0
#define TRIREME_VERSION_MINOR 1
#define TRIREME_VERSION_PATCH 0

// One number that grows with every version: `#if TRIREME_VERSION >= 200` asks for 0.2.0 or later.
#define TRIREME_VERSION \
  (TRIREME_VERSION_MAJOR * 10000 + TRIREME_VERSION_MINOR * 100 + TRIREME_VERSION_PATCH)
#define TRIREME_VERSION_STRING "0.1.0"

namespace trireme { inline namespace v0 {

inline constexpr int kVersion = TRIREME_VERSION;

}}  // namespace trireme
