#include "sim/faults.h"

#include <iterator>

namespace trireme { inline namespace v0 { namespace sim {
namespace {

// Half of the faults of a hostile seed are off, so that each can be rare or alone.
uint32_t draw_chance(Random& random, uint32_t max) {
  if (random.chance(1, 2)) return 0;
  return 1 + static_cast<uint32_t>(random.below(max));
}

uint32_t draw_segment_size(Random& random) {
  switch (random.below(5)) {
    case 0:
      return 1;
    case 1:
      return 2 + static_cast<uint32_t>(random.below(15));
    case 2:
      return 64 + static_cast<uint32_t>(random.below(192));
    case 3:
      return 1460;
    default:
      return 0;
  }
}

}  // namespace

std::string_view to_string(FaultKind kind) {
  static constexpr std::string_view kNames[] = {
      "interrupted", "lost_wakeup", "accept_aborted", "accept_exhausted", "no_descriptor",
      "not_ready",   "no_buffers",  "short_write",    "watch_refused",    "preempted",
      "delay",       "short_read",  "lost_bytes",     "client_reset",     "client_stall"};
  static_assert(std::size(kNames) == kFaultKindCount);
  return kNames[static_cast<size_t>(kind)];
}

Faults draw_faults(Random& random) {
  Faults faults;
  const bool fault_free = random.chance(30, 100);
  if (random.chance(1, 2)) {
    faults.delay_min = Duration(random.below(20'000));
    faults.delay_max = faults.delay_min;
  }
  if (fault_free) return faults;
  faults.interrupted = draw_chance(random, 1'500);
  faults.accept_aborted = draw_chance(random, 1'000);
  faults.accept_exhausted = draw_chance(random, 100);
  faults.send_no_buffers = draw_chance(random, 200);
  faults.send_squeezed = draw_chance(random, 2'000);
  faults.delay_max += Duration(random.below(300'000));
  faults.segment_bytes_max = draw_segment_size(random);
  faults.reset_destroys = random.chance(1, 2);
  faults.preempted = draw_chance(random, 60);
  faults.preempted_max = Duration(10'000 + random.below(4'000'000));
  return faults;
}

Faults Faults::drawn(uint64_t seed) {
  Random random(seed);
  Faults faults = draw_faults(random);
  if (faults.preempted_max == Duration::zero()) return faults;  // free of faults
  faults.wakeup_lost = draw_chance(random, 1'000);
  faults.accept_no_descriptor = draw_chance(random, 500);
  faults.receive_not_ready = draw_chance(random, 1'000);
  faults.client_reset = draw_chance(random, 100);
  faults.client_stalled = draw_chance(random, 300);
  return faults;
}

Faults Faults::calmed() const {
  Faults calm;
  calm.delay_min = delay_min;
  calm.delay_max = delay_max;
  calm.segment_bytes_max = segment_bytes_max;
  return calm;
}

Nature Nature::draw(Random& random) {
  static constexpr uint32_t kSwitched[] = {300, 1'000, 3'000, 10'000};
  static constexpr int64_t kStartMs[] = {1'000, 1'000, (int64_t{1} << 31) - 50,
                                         (int64_t{1} << 32) - 50};
  Nature nature;
  nature.switched = kSwitched[random.below(4)];
  nature.step_cost_max = Duration(200 + random.below(1'800));
  nature.receive_buffer = 2'048U << random.below(8);
  nature.send_buffer = 2'048U << random.below(8);
  nature.start_time = std::chrono::milliseconds(kStartMs[random.below(4)]);
  return nature;
}

}}}  // namespace trireme::sim
