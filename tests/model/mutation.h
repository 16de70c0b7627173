// One small damage to the code under test, done while it runs: a weaker memory order, an operation
// left out.
//
// Test support. Every operation of a model's atomics knows the line of src that called it, so no
// mutant needs to be compiled.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace trireme::model {

// Where an operation stands in the source. The default arguments are those of the caller.
struct Site {
  const char* file = "";
  uint32_t line = 0;
  const char* function = "";

  static constexpr Site here(const char* file = __builtin_FILE(), uint32_t line = __builtin_LINE(),
                             const char* function = __builtin_FUNCTION()) {
    return {file, line, function};
  }
  bool is_shipping() const;  // it stands in src
  bool operator==(const Site& other) const;
};

enum class AtomicKind : uint8_t { kLoad, kStore, kExchange, kFetch, kCas };

struct Orders {
  std::memory_order success = std::memory_order_seq_cst;
  std::memory_order failure = std::memory_order_seq_cst;  // of a compare-and-swap only
  bool operator==(const Orders&) const = default;
};

// An operation of src that some scenario has executed.
struct AtomicSite {
  Site site;
  AtomicKind kind;
  Orders orders;
};

struct Mutation {
  enum class Damage : uint8_t {
    kOrder,          // weaker, as `orders` says
    kSkip,           // nothing is written
    kCasAlwaysTrue,  // whatever it expected is taken to be there
    kCasSaysTrue,    // nothing is written, and success reported
  };
  AtomicSite where;
  Damage damage = Damage::kOrder;
  Orders orders;
  std::string name;  // "loop_word.h lend store: skipped"
};

// All damages of all sites, each once, in the order of the source.
std::vector<Mutation> mutations_of(std::vector<AtomicSite> sites);

const char* name_of(std::memory_order order);

}  // namespace trireme::model
