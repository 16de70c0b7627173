// One run of a scenario, and the way through it: the stack of choices that the explorer works off.
//
// Test support. See model.h.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "model/memory.h"
#include "model/model.h"
#include "sim/fiber.h"

namespace trireme::model {

// What a thread is about to do. Two of them commute unless they share an object and one writes it.
struct Operation {
  enum class Kind : uint8_t { kLoad, kWrite, kLock, kUnlock, kGive, kTake, kRelax, kChoose };
  Kind kind = Kind::kLoad;
  bool writes = false;
  uint64_t objects = 0;  // a bit each
  size_t object = 0;
  const char* name = "";  // for the trace
  Site site;

  bool depends_on(const Operation& other) const {
    return (objects & other.objects) != 0 && (writes || other.writes);
  }
};

using ThreadMask = uint32_t;
using StepClock = std::array<uint16_t, kThreadsMax>;  // of each thread: how many steps came before

// One step of a run.
struct Choice {
  size_t thread = 0;
  Operation operation;
  uint32_t value = 0;  // which of `values`
  uint32_t values = 1;
  ThreadMask enabled = 0;
  ThreadMask backtrack = 0;  // to be tried here
  ThreadMask done = 0;
  ThreadMask sleeping = 0;  // tried before, and nothing since makes a difference
  StepClock known{};        // the steps that its thread depended on before
  StepClock before{};       // what this step depends on, itself included
};

class Execution final : public Model {
 public:
  explicit Execution(const Options& options);
  ~Execution() override;

  // The explorer. Runs the scenario once along the stack, then on. False: nothing is left to try.
  void run_once(const Scenario& scenario);
  bool advance();
  // The same run again, with a trace.
  void trace_again(const Scenario& scenario);

  void thread(const char* name, std::function<void()> body) override;
  void run() override;
  int depth() const override { return options_.depth; }

  // --- The atomics and their like, from here on. ---
  size_t add_object();
  Object& object(size_t number) { return *objects_[number]; }
  // A thread, or the scenario outside of run(). Returns when the operation is to be done, at once.
  void step(const Operation& operation);
  // Within the operation: one of `count` values.
  uint32_t value_of(uint32_t count);
  Knowledge& mine() { return threads_[running_].knows; }
  void note_read(size_t object, size_t index);
  void see_newest();
  size_t running() const { return running_; }
  void fail(const std::string& what);
  bool given_up() const { return given_up_; }
  uint64_t read_since_relax() const { return threads_[running_].read_since_relax; }
  bool may_fail_weakly() const { return !threads_[running_].has_failed_weakly; }
  void note_weak_failure() { threads_[running_].has_failed_weakly = true; }
  void say(const std::string& line);
  bool traces() const { return tracing_; }
  const Mutation* mutation_at(const Site& site);
  void note_site(const Site& site, AtomicKind kind, Orders orders);

  Outcome outcome;
  SeqCstOrder seq_cst;

 private:
  struct ModelThread {
    const char* name = "";
    std::function<void()> body;
    std::unique_ptr<sim::Fiber> fiber;
    Knowledge knows;
    Operation next;
    StepClock steps{};
    uint64_t read_since_relax = 0;
    std::array<uint16_t, kObjectsMax> read_index{};
    bool has_failed_weakly = false;
    bool ended = true;
    bool leaves = false;  // the fiber is to end
  };
  struct Touched {
    StepClock by_writes{}, by_all{};
  };

  void live_as(size_t number);
  ThreadMask enabled() const;
  bool is_ready(const ModelThread& thread) const;
  size_t pick(ThreadMask ready);
  void follow_dependences(Choice& choice);
  void find_races(size_t index);
  void find_race_for_mutex(size_t index);
  void try_reversed(size_t early, size_t late);
  void finish_given_up();
  void join_all();

  const Options options_;
  std::array<ModelThread, kThreadsMax> threads_;
  size_t threads_count_ = 1;
  std::vector<std::unique_ptr<Object>> objects_;
  size_t objects_count_ = 0;
  std::vector<Choice> stack_;
  size_t replayed_ = 0;  // so many choices of the stack are given
  size_t at_ = 0;
  std::array<Touched, kObjectsMax> touched_;
  size_t running_ = 0;
  bool tracing_ = false;
  bool inside_ = false;  // run() is under way
  bool given_up_ = false;
  bool runs_out_ = false;  // all that comes is known from another run
  size_t steps_ = 0;
  sim::Context scheduler_;
};

// The one that runs now.
extern Execution* current;

}  // namespace trireme::model
