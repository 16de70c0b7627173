// The mutants that no scenario can catch, each with the reason.
//
// Test support. The list is exact: one that is caught, or that does not exist, fails the test.
#pragma once

#include <vector>

namespace trireme::model {

struct Survivor {
  const char* mutant;
  const char* reason;
};

std::vector<Survivor> survivors();

}  // namespace trireme::model
