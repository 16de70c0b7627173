// The line of the scenario that demands something: what a failure is called by.
#pragma once

namespace trireme { inline namespace v0 { namespace sim {

struct Where {
  const char* file = "";
  int line = 0;

  // Any thread. As a default argument: where the function with that argument is called.
  static constexpr Where here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    return {file, line};
  }
};

}}}  // namespace trireme::sim
