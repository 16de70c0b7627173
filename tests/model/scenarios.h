// The scenarios over the lock-free classes of src, and what they share.
//
// Test support. A scenario gives the threads that the server has, and lets each do what the code
// around the class does, and nothing else.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "model/atomic.h"
#include "runtime/mailbox.h"

namespace trireme::model {

struct NamedScenario {
  const char* name;
  Scenario run;
};

std::vector<NamedScenario> word_scenarios();
std::vector<NamedScenario> token_scenarios();
std::vector<NamedScenario> mailbox_scenarios();
std::vector<NamedScenario> sleep_scenarios();
std::vector<NamedScenario> queue_scenarios();
std::vector<NamedScenario> park_scenarios();
std::vector<NamedScenario> line_scenarios();
std::vector<NamedScenario> all_scenarios();

// Mail, or a job. Memory that has become free is used again at once, by the next one: an address
// that comes back must confuse nobody.
struct Note {
  Note(int from, int count) : sender(from), number(count) { ++live; }
  ~Note() { --live; }

  static void* operator new(size_t bytes);
  static void operator delete(void* memory);
  static void start();  // at the start of a scenario: none is live
  static int live;

  Var<Note*> next{nullptr, "a note's link"};
  Var<int> sender, number;
};

using ModelMailbox = BasicMailbox<Atomic, Note>;

}  // namespace trireme::model
