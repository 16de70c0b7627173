#include "roster/places.h"

#include "roster/mail_kinds.h"
#include "runtime/check.h"

namespace trireme { inline namespace v0 {

Places::Places(size_t connections_max, size_t loops_count,
               const std::vector<std::unique_ptr<EventLoop>>& loops)
    : connections_max_(connections_max),
      loops_(loops),
      waits_(std::make_unique<std::atomic<AcceptWait>[]>(loops_count)) {}

bool Places::enter() {
  uint64_t live = live_.load();
  while (live < connections_max_) {
    if (live_.compare_exchange_weak(live, live + 1)) return true;
  }
  return false;
}

void Places::give_back() {
  const uint64_t before = live_.fetch_sub(1);
  CHECK(before > 0, "more connections have gone than came");
}

void Places::leave() {
  give_back();
  give_turn(AcceptWait::kPlace);
}

void Places::give_turn(AcceptWait freed) {
  std::atomic<int32_t>& waiting = waits_count_[static_cast<size_t>(freed)];
  if (waiting.load() == 0) return;
  const auto count = static_cast<uint32_t>(loops_.size());
  const uint32_t first = next_turn_.load(std::memory_order_relaxed);
  for (uint32_t tries = 0; tries < count; ++tries) {
    const uint32_t index = (first + tries) % count;
    AcceptWait expected = freed;
    if (waits_[index].load() != freed ||
        !waits_[index].compare_exchange_strong(expected, AcceptWait::kNothing)) {
      continue;
    }
    waiting.fetch_sub(1);
    next_turn_.store(index + 1, std::memory_order_relaxed);
    return loops_[index]->post(std::make_unique<PlainMail>(kMailResume));
  }
}

void Places::note_accept_waits(uint32_t index, AcceptWait waits_for) {
  // The counts are never less than the loops that wait: who makes room must not find nobody.
  if (waits_for != AcceptWait::kNothing) {
    waits_count_[static_cast<size_t>(waits_for)].fetch_add(1);
  }
  const AcceptWait before = waits_[index].exchange(waits_for);
  if (before != AcceptWait::kNothing) {
    waits_count_[static_cast<size_t>(before)].fetch_sub(1);
  }
}

}}  // namespace trireme
