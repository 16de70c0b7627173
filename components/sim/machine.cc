#include "sim/machine.h"

#include <utility>

#include "sim/fail.h"

namespace trireme { inline namespace v0 { namespace sim {
namespace {

constexpr Duration kLookAgain = std::chrono::microseconds(50);

size_t stack_bytes_of(const MachineOptions& options) {
  if (options.stack_bytes != 0) return options.stack_bytes;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(__clang__)
  // Instrumented frames are several times larger. Clang tells only by __has_feature, and a larger
  // mapping that is never touched costs nothing.
  return size_t{1} << 20;
#else
  return size_t{256} << 10;
#endif
}

Nature draw_nature(uint64_t seed) {
  Random random(seed);
  return Nature::draw(random);
}

Faults draw_faults(uint64_t seed) {
  Random random(seed);
  return sim::draw_faults(random);
}

}  // namespace

// Each part has a stream of its own, so that one more draw in one of them leaves the others alone.
struct Machine::Seeds {
  uint64_t nature, faults, scheduler, network, kernel, platform, test;

  explicit Seeds(uint64_t seed) {
    Random random(seed);
    nature = random.next();
    faults = random.next();
    scheduler = random.next();
    network = random.next();
    kernel = random.next();
    platform = random.next();
    test = random.next();
  }
};

Machine::Machine(uint64_t seed, const MachineOptions& options)
    : Machine(seed, options, Seeds(seed)) {}

Machine::Machine(uint64_t seed, const MachineOptions& options, const Seeds& seeds)
    : seed_(seed),
      nature_(options.nature ? *options.nature : draw_nature(seeds.nature)),
      faults_(options.faults ? *options.faults : draw_faults(seeds.faults)),
      random_(seeds.test),
      scheduler_(seeds.scheduler, nature_, faults_,
                 {options.steps_max, options.time_max, stack_bytes_of(options)}),
      network_(scheduler_, nature_, faults_, seeds.network),
      kernel_(network_, faults_, {options.descriptors_max, options.has_ipv6, seeds.kernel}),
      clock_(scheduler_),
      threads_(scheduler_, {options.cpus_count, options.has_idle_policy, options.threads_max}),
      platform_{kernel_, clock_, threads_, seeds.platform, false, &home_numbers_} {
  scheduler_.trace().set_log(options.log);
  scheduler_.set_gate(options.gate);
  if (options.locks_are_points) scheduler_.make_locks_points();
}

Machine::~Machine() = default;

void Machine::run(std::function<void()> main) {
  scheduler_.spawn("main", std::move(main));
  scheduler_.run();
}

Machine::Task Machine::spawn(std::string_view name, std::function<void()> body) {
  scheduler_.point();
  return Task(*this, scheduler_.spawn(name, std::move(body)));
}

bool Machine::wait_for(const std::function<bool()>& condition, Duration limit) {
  const TimePoint end = now() + limit;
  while (!condition()) {
    if (now() >= end) return false;
    sleep_for(kLookAgain);
  }
  return true;
}

void Machine::sleep_for(Duration duration) {
  scheduler_.point();
  scheduler_.block({"sleep", 0, now() + duration});
}

bool Machine::Task::done() const { return fiber_->state == Fiber::State::kEnded; }

void Machine::Task::join() {
  Scheduler& scheduler = machine_->scheduler_;
  scheduler.point();
  while (!done()) {
    if (fiber_->joiner != nullptr && fiber_->joiner != scheduler.current()) {
      fail("two fibers join fiber '" + fiber_->name + "'.");
    }
    fiber_->joiner = scheduler.current();
    scheduler.block({"join of fiber", fiber_->id});
  }
}

}}}  // namespace trireme::sim
