#include "model/execution.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <utility>

namespace trireme::model {

Execution* current = nullptr;

namespace {

constexpr size_t kStepsMax = 2'000;  // a run that is longer does not end
constexpr size_t kStackBytes = 128 << 10;

ThreadMask bit(size_t thread) { return ThreadMask{1} << thread; }
size_t lowest(ThreadMask mask) { return static_cast<size_t>(std::countr_zero(mask)); }

void join(StepClock& clock, const StepClock& other) {
  for (size_t i = 0; i < clock.size(); ++i) clock[i] = std::max(clock[i], other[i]);
}

template <class Body>
void for_each_object(uint64_t objects, Body body) {
  for (; objects != 0; objects &= objects - 1) {
    body(static_cast<size_t>(std::countr_zero(objects)));
  }
}

// Misuse of the checker itself: no result could be trusted.
void check(bool holds, const char* claim) {
  if (holds) return;
  std::fprintf(stderr, "model: %s\n", claim);
  std::abort();
}

}  // namespace

Execution::Execution(const Options& options) : options_(options) { current = this; }

Execution::~Execution() {
  for (ModelThread& thread : threads_) {
    if (thread.fiber == nullptr) continue;
    thread.leaves = true;
    thread.fiber->resume(scheduler_);
  }
  current = nullptr;
}

void Execution::run_once(const Scenario& scenario) {
  threads_count_ = 1;
  objects_count_ = 0;
  seq_cst.clear();
  at_ = 0;
  steps_ = 0;
  running_ = 0;
  given_up_ = runs_out_ = false;
  threads_[0].knows = Knowledge();
  threads_[0].knows.clock[0] = 1;
  ++outcome.runs;
  try {
    scenario(*this);
  } catch (const GivenUp&) {
  }
  check(!inside_, "a scenario ended within run()");
}

void Execution::trace_again(const Scenario& scenario) {
  const std::string failure = outcome.failure;
  tracing_ = true;
  replayed_ = stack_.size();
  --outcome.runs;
  run_once(scenario);
  check(outcome.failure == failure, "a scenario that is not deterministic");
}

// Depth first: the last choice that leaves something to try.
bool Execution::advance() {
  while (!stack_.empty()) {
    Choice& last = stack_.back();
    if (last.value + 1 < last.values) {
      ++last.value;
      replayed_ = stack_.size();
      return true;
    }
    last.done |= bit(last.thread);
    const ThreadMask left = last.backtrack & ~last.done & ~last.sleeping;
    if (left != 0) {
      last.thread = lowest(left);
      last.value = 0;
      last.values = 1;
      replayed_ = stack_.size();
      return true;
    }
    stack_.pop_back();
  }
  return false;
}

void Execution::thread(const char* name, std::function<void()> body) {
  check(threads_count_ < kThreadsMax && !inside_, "too many threads, or one too late");
  ModelThread& thread = threads_[threads_count_];
  thread.name = name;
  thread.body = std::move(body);
  if (thread.fiber == nullptr) {
    thread.fiber = std::make_unique<sim::Fiber>(
        static_cast<uint32_t>(threads_count_), "model",
        [this, number = threads_count_] { live_as(number); }, sim::Stack(kStackBytes));
  }
  ++threads_count_;
}

// The fiber of a thread: one body after the other, one in each run.
void Execution::live_as(size_t number) {
  ModelThread& thread = threads_[number];
  while (!thread.leaves) {
    try {
      thread.body();
    } catch (const GivenUp&) {
    }
    thread.body = nullptr;
    thread.ended = true;
    thread.fiber->suspend();
  }
}

void Execution::run() {
  inside_ = true;
  for (Touched& touched : touched_) touched = Touched();
  for (size_t number = 1; number < threads_count_; ++number) {
    ModelThread& thread = threads_[number];
    thread.knows = threads_[0].knows;
    thread.knows.clock[number] = 1;
    thread.steps = StepClock();
    thread.read_since_relax = 0;
    thread.has_failed_weakly = false;
    thread.ended = false;
  }
  ++threads_[0].knows.clock[0];
  for (size_t number = 1; number < threads_count_ && !given_up_; ++number) {
    running_ = number;
    threads_[number].fiber->resume(scheduler_);  // to its first operation
  }
  while (!given_up_) {
    const ThreadMask ready = enabled();
    if (ready == 0) break;
    if (++steps_ > kStepsMax) {
      fail("the run does not end");
      break;
    }
    running_ = pick(ready);
    threads_[running_].fiber->resume(scheduler_);
    if (!runs_out_ && at_ >= replayed_) find_races(at_ - 1);
  }
  join_all();
}

void Execution::join_all() {
  std::string waiting;
  for (size_t number = 1; number < threads_count_ && !given_up_; ++number) {
    const ModelThread& thread = threads_[number];
    threads_[0].knows.join(thread.knows);
    if (thread.ended) continue;
    waiting += std::string(waiting.empty() ? "" : ", ") + thread.name + " in " + thread.next.name +
               " at line " + std::to_string(thread.next.site.line);
  }
  if (!waiting.empty()) fail("nobody can go on: " + waiting);
  outcome.operations += steps_;
  running_ = 0;
  if (given_up_) finish_given_up();
  inside_ = false;
  if (given_up_) throw GivenUp();
}

// Each thread's stack is unwound.
void Execution::finish_given_up() {
  for (size_t number = 1; number < threads_count_; ++number) {
    running_ = number;
    if (!threads_[number].ended) threads_[number].fiber->resume(scheduler_);
    threads_[number].body = nullptr;
  }
  running_ = 0;
}

bool Execution::is_ready(const ModelThread& thread) const {
  if (thread.ended) return false;
  const Operation& next = thread.next;
  switch (next.kind) {
    case Operation::Kind::kLock:
      return !objects_[next.object]->is_set;
    case Operation::Kind::kTake:
      return objects_[next.object]->is_set;
    case Operation::Kind::kRelax: {
      bool changed = false;
      for_each_object(next.objects, [&](size_t object) {
        changed |= objects_[object]->stores.size() > thread.read_index[object] + size_t{1};
      });
      return changed;
    }
    default:
      return true;
  }
}

ThreadMask Execution::enabled() const {
  ThreadMask mask = 0;
  for (size_t number = 1; number < threads_count_; ++number) {
    if (is_ready(threads_[number])) mask |= bit(number);
  }
  return mask;
}

// The thread that goes next. What was asleep before and has met nothing that it depends on stays
// so: that order was tried.
size_t Execution::pick(ThreadMask ready) {
  if (runs_out_) return lowest(ready);
  if (at_ < replayed_) {
    check((ready & bit(stack_[at_].thread)) != 0, "a scenario that is not deterministic");
  } else {
    Choice choice;
    choice.enabled = ready;
    if (at_ > 0 && options_.reduces) {
      const Choice& before = stack_[at_ - 1];
      const ThreadMask slept = (before.sleeping | before.done) & ~bit(before.thread);
      for (ThreadMask left = slept; left != 0; left &= left - 1) {
        const ModelThread& sleeper = threads_[lowest(left)];
        if (!sleeper.next.depends_on(before.operation)) choice.sleeping |= bit(lowest(left));
      }
    }
    const ThreadMask useful = ready & ~choice.sleeping;
    if (useful == 0) {
      runs_out_ = true;
      ++outcome.pruned;
      return lowest(ready);
    }
    choice.thread = (useful & bit(running_)) != 0 ? running_ : lowest(useful);
    choice.backtrack = options_.reduces ? bit(choice.thread) : ready;
    stack_.push_back(choice);
  }
  Choice& choice = stack_[at_++];
  choice.operation = threads_[choice.thread].next;
  follow_dependences(choice);
  return choice.thread;
}

void Execution::follow_dependences(Choice& choice) {
  StepClock& clock = threads_[choice.thread].steps;
  choice.known = clock;
  const Operation& operation = choice.operation;
  for_each_object(operation.objects, [&](size_t object) {
    join(clock, operation.writes ? touched_[object].by_all : touched_[object].by_writes);
  });
  clock[choice.thread] = static_cast<uint16_t>(at_);
  for_each_object(operation.objects, [&](size_t object) {
    join(touched_[object].by_all, clock);
    if (operation.writes) join(touched_[object].by_writes, clock);
  });
  choice.before = clock;
}

// Which earlier steps could as well have come after the step `index`?
void Execution::find_races(size_t index) {
  const Choice& last = stack_[index];
  if (last.operation.kind == Operation::Kind::kLock) return find_race_for_mutex(index);
  StepClock covered{};  // what comes before a step that comes before this one
  for (size_t i = index; i-- > 0;) {
    const Choice& step = stack_[i];
    if (last.before[step.thread] <= i || covered[step.thread] > i) continue;
    if (step.thread != last.thread) try_reversed(i, index);
    join(covered, step.before);
  }
}

// Two threads that want a mutex race for it, and not with the one that gives it back.
void Execution::find_race_for_mutex(size_t index) {
  const Choice& last = stack_[index];
  for (size_t i = index; i-- > 0;) {
    const Choice& step = stack_[i];
    if (step.operation.kind != Operation::Kind::kLock ||
        step.operation.object != last.operation.object) {
      continue;
    }
    if (step.thread != last.thread && last.known[step.thread] <= i) try_reversed(i, index);
    return;
  }
}

// The step `late` in front of `early`, with all that it needs of what came between. One of the
// steps that could begin this way must be tried in place of `early`.
void Execution::try_reversed(size_t early, size_t late) {
  Choice& choice = stack_[early];
  ThreadMask begun = 0, first = 0;
  std::array<size_t, kStepsMax> moved;  // NOLINT: filled as far as it is read
  size_t moved_count = 0;
  for (size_t i = early + 1; i <= late; ++i) {
    const Choice& step = stack_[i];
    if (i < late && step.before[choice.thread] > early) continue;
    if ((begun & bit(step.thread)) == 0) {
      const bool waits = std::any_of(moved.begin(), moved.begin() + moved_count, [&](size_t other) {
        return step.before[stack_[other].thread] > other;
      });
      begun |= bit(step.thread);
      if (!waits) first |= bit(step.thread);
    }
    moved[moved_count++] = i;
  }
  if ((first & (choice.backtrack | choice.sleeping)) != 0) return;
  first &= choice.enabled;  // none: it had to wait for `early`
  const ThreadMask own = first & bit(stack_[late].thread);
  if (first != 0) choice.backtrack |= own != 0 ? own : bit(lowest(first));
}

size_t Execution::add_object() {
  check(objects_count_ < kObjectsMax, "too many atomics in a scenario");
  if (objects_count_ == objects_.size()) objects_.push_back(std::make_unique<Object>());
  Object& object = *objects_[objects_count_];
  object.stores.clear();
  object.is_set = false;
  object.released = Knowledge();
  return objects_count_++;
}

void Execution::step(const Operation& operation) {
  if (!inside_) return;
  ModelThread& thread = threads_[running_];
  // Destructors on the way out.
  if (given_up_) {
    if (std::uncaught_exceptions() > 0 || operation.kind == Operation::Kind::kUnlock) return;
    throw GivenUp();
  }
  thread.next = operation;
  thread.fiber->suspend();
  if (given_up_ && operation.kind != Operation::Kind::kUnlock) throw GivenUp();
}

uint32_t Execution::value_of(uint32_t count) {
  if (!inside_ || runs_out_ || given_up_ || count == 1) return 0;
  Choice& choice = stack_[at_ - 1];
  check(choice.values == 1 || choice.values == count, "a scenario that is not deterministic");
  choice.values = count;
  return choice.value;
}

void Execution::note_read(size_t object, size_t index) {
  threads_[running_].read_since_relax |= uint64_t{1} << object;
  threads_[running_].read_index[object] = static_cast<uint16_t>(index);
}

// After a round of a spin: stores become visible in the end.
void Execution::see_newest() {
  ModelThread& thread = threads_[running_];
  for_each_object(thread.read_since_relax, [&](size_t object) {
    thread.knows.view[object] = static_cast<uint16_t>(objects_[object]->stores.size() - 1);
  });
  thread.read_since_relax = 0;
}

void Execution::fail(const std::string& what) {
  if (!given_up_ && !runs_out_) outcome.failure = what;
  given_up_ = true;
}

void Execution::say(const std::string& line) {
  if (tracing_) outcome.trace += std::string("  ") + threads_[running_].name + ": " + line + '\n';
}

const Mutation* Execution::mutation_at(const Site& site) {
  const Mutation* mutation = options_.mutation;
  return mutation != nullptr && mutation->where.site == site ? mutation : nullptr;
}

void Execution::note_site(const Site& site, AtomicKind kind, Orders orders) {
  if (options_.mutation != nullptr || !site.is_shipping()) return;
  for (const AtomicSite& known : outcome.sites) {
    if (known.site == site && known.kind == kind) return;
  }
  outcome.sites.push_back({site, kind, orders});
}

}  // namespace trireme::model
