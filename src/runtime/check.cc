#include "runtime/check.h"

#include <cinttypes>
#include <cstdio>
#include <cstdlib>

namespace trireme::inline v0 {

void check_failed(const char* file, int line, const char* condition, const char* sentence,
                  int64_t value_a, int64_t value_b) {
  std::fprintf(stderr, "%s:%d: check failed: %s: %s (%" PRId64 ", %" PRId64 ")\n", file, line,
               condition, sentence, value_a, value_b);
  std::fflush(stderr);
  std::abort();
}

}  // namespace trireme
