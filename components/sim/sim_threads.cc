#include "sim/sim_threads.h"

#include <cerrno>
#include <string>
#include <utility>

#include "sim/fail.h"

namespace trireme { inline namespace v0 { namespace sim {
namespace {

constexpr size_t kNameBytesMax = 15;
constexpr uint64_t kIdBase = 1'000;

void check_name(std::string_view name) {
  if (name.size() > kNameBytesMax) {
    fail("thread name '" + std::string(name) + "' has more than 15 bytes.");
  }
}

class SimThread final : public Thread {
 public:
  SimThread(Scheduler& scheduler, Fiber& fiber) : scheduler_(scheduler), fiber_(fiber) {}
  SimThread(const SimThread&) = delete;
  SimThread& operator=(const SimThread&) = delete;

  ~SimThread() override {
    if (!gone_) fail("thread '" + fiber_.name + "' was destroyed before it was joined.");
  }

  void join() override { join_until(kNever); }

  bool join_until(TimePoint until) override {
    if (gone_) fail("thread '" + fiber_.name + "' was joined twice.");
    if (scheduler_.current() == &fiber_) fail("thread '" + fiber_.name + "' joins itself.");
    scheduler_.point();
    while (fiber_.state != Fiber::State::kEnded) {
      if (until != kNever && scheduler_.now() >= until) {
        fiber_.joiner = nullptr;
        scheduler_.record(Call::kThreadJoin, fiber_.id, 0, -ETIMEDOUT);
        return false;
      }
      fiber_.joiner = scheduler_.current();
      scheduler_.block({"join of fiber", fiber_.id, until});
    }
    gone_ = true;
    scheduler_.record(Call::kThreadJoin, fiber_.id, 0, 0);
    scheduler_.point_after();
    return true;
  }

  void detach() override {
    if (gone_) fail("thread '" + fiber_.name + "' was detached after its join.");
    scheduler_.point();
    gone_ = true;
    scheduler_.detach(fiber_);
    scheduler_.record(Call::kThreadDetach, fiber_.id, 0, 0);
  }

 private:
  Scheduler& scheduler_;
  Fiber& fiber_;
  bool gone_ = false;
};

}  // namespace

std::unique_ptr<Thread> SimThreads::start(std::string_view name, std::function<void()> body,
                                          int& error) {
  check_name(name);
  scheduler_.point();
  if (*living_ >= settings_.threads_max) {
    error = EAGAIN;
    scheduler_.record(Call::kThreadStart, 0, 0, -EAGAIN);
    return nullptr;
  }
  ++*living_;
  Fiber& fiber = scheduler_.spawn(name, [living = living_, run = std::move(body)]() mutable {
    run();
    run = nullptr;
    --*living;
  });
  scheduler_.record(Call::kThreadStart, 0, 0, fiber.id);
  auto thread = std::make_unique<SimThread>(scheduler_, fiber);
  scheduler_.point_after();
  return thread;
}

bool SimThreads::park(ParkSpot& spot, TimePoint until) {
  scheduler_.point();
  if (spot.state.load() == 2) fail("two threads park on one spot at a time.");
  if (spot.state.exchange(2) == 1) {
    spot.state.store(0);
    scheduler_.record(Call::kPark, 0, 0, 1);
    return true;
  }
  spot.fiber = scheduler_.current();
  scheduler_.block({"park", 0, until});
  spot.fiber = nullptr;
  const bool permit = spot.state.exchange(0) == 1;
  scheduler_.record(Call::kPark, 1, 0, permit ? 1 : 0);
  scheduler_.point_after();
  return permit;
}

void SimThreads::unpark(ParkSpot& spot) {
  scheduler_.point();
  const uint32_t before = spot.state.exchange(1);
  if (before == 2 && spot.fiber != nullptr) scheduler_.wake(*static_cast<Fiber*>(spot.fiber));
  scheduler_.record(Call::kUnpark, 0, 0, before);
  scheduler_.point_after();
}

bool SimThreads::try_park(ParkSpot& spot) {
  scheduler_.point();
  const bool permit = spot.state.load() == 1;
  if (permit) spot.state.store(0);
  scheduler_.record(Call::kPark, 2, 0, permit ? 1 : 0);
  return permit;
}

void SimThreads::sleep_until(TimePoint until) {
  scheduler_.point();
  scheduler_.block({"sleep", 0, until});
  scheduler_.record(Call::kSleep, 0, 0, 0);
}

void SimThreads::relax() {
  scheduler_.yield();
  scheduler_.record(Call::kRelax, 0, 0, 0);
}

void SimThreads::set_name(std::string_view name) {
  check_name(name);
  scheduler_.point();
  if (scheduler_.current() != nullptr) scheduler_.current()->name = name;
  scheduler_.record(Call::kSetName, static_cast<int64_t>(name.size()), 0, 0);
}

uint64_t SimThreads::current_id() { return kIdBase + scheduler_.current_id(); }

Duration SimThreads::cpu_time(uint64_t thread) {
  scheduler_.point();
  const Duration time = scheduler_.unblocked_time(static_cast<uint32_t>(thread - kIdBase));
  scheduler_.record(Call::kCpuTime, static_cast<int64_t>(thread), 0, time.count());
  return time;
}

}}}  // namespace trireme::sim
