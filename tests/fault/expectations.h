// What can go wrong at each call site, by its manual page, and what a server then has to do: the
// two tables that the matrix of faults is made from.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "support/faulty_kernel.h"

namespace fault {

using Site = trireme::FaultyKernel::Site;
inline constexpr uint64_t kForEver = trireme::FaultyKernel::kForEver;

// The errnos of a manual page.
struct ManualPage {
  Site site;
  std::string_view page;
  std::vector<int> errnos;
};
std::span<const ManualPage> manual_pages();

enum class Expect {
  kNone,        // nobody has thought about it: the cell fails
  kStartFails,  // start() says why, and nothing is left behind
  kInvisible,   // no client notices
  kDelays,      // clients wait while it lasts, then all of them are served
  kEndsOne,     // each failed call may cost the connection it was made for, and no other
  kAborts,      // only a defect of ours can cause it: CHECK
  kNotOnPath,   // a server never makes this call
};

struct Expectation {
  Expect expect = Expect::kNone;
  // False: it cannot last in a real kernel (a signal at every call, an event for what is not
  // ready), so the only sane answer is to try again at once, as often as it comes.
  bool bounded = true;
};

// For calls of a server that runs, and for those that start() makes.
Expectation expectation_in_traffic(Site site, int error);
Expectation expectation_at_start(Site site, int error);

// One cell of the matrix.
struct Cell {
  Site site;
  int error;
  uint64_t first;
  uint64_t times;
};
// Every errno of the site's manual page x position x how often.
std::vector<Cell> cells_of(Site site, std::span<const uint64_t> positions);
std::string describe(const Cell& cell);

}  // namespace fault
