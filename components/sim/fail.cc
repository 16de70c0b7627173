#include "sim/fail.h"

#include <cstdio>
#include <cstdlib>

namespace trireme { inline namespace v0 { namespace sim {

void fail(std::string_view sentence) {
  std::fprintf(stderr, "simulator: %.*s\n", static_cast<int>(sentence.size()), sentence.data());
  std::fflush(stderr);
  std::abort();
}

}}}  // namespace trireme::sim
