// What user code has thrown, in words for the log.
//
// Step: below all steps. Thread: the one that has caught it.
#pragma once

#include <string>

namespace trireme { inline namespace v0 {

// In a catch block: "std::out_of_range: map::at". The type, and what() of a std::exception, cut to
// some length and without bytes that would end or hide a line of the log.
std::string describe_thrown();

}}  // namespace trireme
