#include "runtime/check.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>

#include "runtime/system/real_log.h"

namespace trireme { inline namespace v0 {

void check_failed(const char* file, int line, const char* condition, const char* sentence,
                  int64_t value_a, int64_t value_b) {
  // Not through the log, whose thread may hang, and without memory, of which there may be none.
  char text[2048];
  const int bytes =
      std::snprintf(text, sizeof(text), "%s:%d: check failed: %s: %s (%" PRId64 ", %" PRId64 ")\n",
                    file, line, condition, sentence, value_a, value_b);
  write_last_words({text, std::min(static_cast<size_t>(std::max(bytes, 0)), sizeof(text) - 1)});
  std::abort();
}

}}  // namespace trireme
