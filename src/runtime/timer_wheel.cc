#include "runtime/timer_wheel.h"

#include <algorithm>
#include <bit>

#include "runtime/check.h"

namespace trireme { inline namespace v0 {
namespace {

void make_empty(Timer& head) { head.previous_timer = head.next_timer = &head; }
bool is_empty(const Timer& head) { return head.next_timer == &head; }

void push_back(Timer& head, Timer& timer) {
  timer.previous_timer = head.previous_timer;
  timer.next_timer = &head;
  head.previous_timer->next_timer = &timer;
  head.previous_timer = &timer;
}

}  // namespace

TimerWheel::TimerWheel(TimePoint start) : start_(start) {
  for (auto& level : slots_) {
    for (Timer& head : level) make_empty(head);
  }
  make_empty(due_);
}

TimerWheel::~TimerWheel() { CHECK_EQUAL(armed_count_, 0u, "a timer outlived its wheel"); }

uint64_t TimerWheel::tick_at_or_after(TimePoint time) const {
  if (time <= start_) return 0;
  const auto since = time - start_;
  return static_cast<uint64_t>((since + kTick - Duration(1)) / kTick);
}

void TimerWheel::arm(Timer& timer, TimePoint deadline) {
  if (timer.timer_armed()) {
    unlink(timer);
  } else {
    ++armed_count_;
    made_.add();
  }
  timer.due_tick = tick_at_or_after(deadline) & Timer::kTickMax;
  place(timer);
}

void TimerWheel::arm_no_later(Timer& timer, TimePoint deadline) {
  if (timer.timer_armed() && timer.due_tick <= tick_at_or_after(deadline)) return;
  arm(timer, deadline);
}

void TimerWheel::cancel(Timer& timer) {
  if (!timer.timer_armed()) return;
  unlink(timer);
  --armed_count_;
  gone_.add();
}

void TimerWheel::place(Timer& timer) {
  if (timer.due_tick <= current_tick_) return push_back(due_, timer);
  const uint64_t distance = timer.due_tick - current_tick_;
  int level = 0;
  while (level < kLevels - 1 && distance >= (kSlots << (kSlotBits * level))) ++level;
  uint64_t tick = timer.due_tick;
  const uint64_t range = kSlots << (kSlotBits * (kLevels - 1));
  if (distance >= range)
    tick = current_tick_ + range - 1;  // too far: placed again when this slot comes
  const uint64_t slot = (tick >> (kSlotBits * level)) & (kSlots - 1);
  push_back(slots_[static_cast<size_t>(level)][slot], timer);
  occupied_[static_cast<size_t>(level)] |= uint64_t{1} << slot;
}

void TimerWheel::unlink(Timer& timer) {
  timer.previous_timer->next_timer = timer.next_timer;
  timer.next_timer->previous_timer = timer.previous_timer;
  if (timer.previous_timer == timer.next_timer) note_empty(*timer.next_timer);
  timer.previous_timer = timer.next_timer = nullptr;
}

// The last timer of a list is gone: if that was a slot, nobody is to be woken for it.
void TimerWheel::note_empty(const Timer& head) {
  const auto begin = reinterpret_cast<uintptr_t>(&slots_);
  const uintptr_t offset = reinterpret_cast<uintptr_t>(&head) - begin;
  if (offset >= sizeof(slots_)) return;
  const size_t slot = offset / sizeof(Timer);
  occupied_[slot / kSlots] &= ~(uint64_t{1} << slot % kSlots);
}

// The wheel of `level - 1` has come round: distributes the next slot of `level` over the levels
// below.
void TimerWheel::cascade(int level) {
  if (level >= kLevels) return;
  const uint64_t slot = (current_tick_ >> (kSlotBits * level)) & (kSlots - 1);
  if (slot == 0) cascade(level + 1);
  Timer& head = slots_[static_cast<size_t>(level)][slot];
  occupied_[static_cast<size_t>(level)] &= ~(uint64_t{1} << slot);
  Timer moving;
  if (is_empty(head)) return;
  moving = head;  // takes the whole list: a timer that is placed again must not be met twice
  moving.next_timer->previous_timer = &moving;
  moving.previous_timer->next_timer = &moving;
  make_empty(head);
  while (!is_empty(moving)) {
    Timer& timer = *moving.next_timer;
    unlink(timer);
    place(timer);
  }
}

Timer* TimerWheel::expire(TimePoint now) {
  const uint64_t now_tick = now < start_ ? 0 : static_cast<uint64_t>((now - start_) / kTick);
  while (is_empty(due_) && current_tick_ < now_tick) {
    if (armed_count_ == 0) {
      current_tick_ = now_tick;
      return nullptr;
    }
    // Jump over ticks whose slots are empty, up to the next turn of the lowest wheel.
    const uint64_t position = current_tick_ & (kSlots - 1);
    const uint64_t ahead = position == kSlots - 1 ? 0 : occupied_[0] >> (position + 1);
    const uint64_t jump =
        ahead != 0 ? static_cast<uint64_t>(std::countr_zero(ahead)) + 1 : kSlots - position;
    current_tick_ = std::min(now_tick, current_tick_ + jump);
    if ((current_tick_ & (kSlots - 1)) == 0) cascade(1);
    Timer& head = slots_[0][current_tick_ & (kSlots - 1)];
    occupied_[0] &= ~(uint64_t{1} << (current_tick_ & (kSlots - 1)));
    while (!is_empty(head)) {
      Timer& timer = *head.next_timer;
      unlink(timer);
      push_back(due_, timer);
    }
  }
  if (is_empty(due_)) return nullptr;
  Timer& timer = *due_.next_timer;
  unlink(timer);
  --armed_count_;
  gone_.add();
  return &timer;
}

TimePoint TimerWheel::next_wake() const {
  if (armed_count_ == 0) return kNever;
  if (!is_empty(due_)) return start_ + kTick * current_tick_;
  // The next occupied slot of the lowest wheel; else of a higher one, whose slots are distributed
  // when their time comes: an early call of `expire` that finds nothing due is harmless, and
  // happens at most three times a timer.
  for (int level = 0; level < kLevels; ++level) {
    const uint64_t bits = occupied_[static_cast<size_t>(level)];
    if (bits == 0) continue;
    const uint64_t position = (current_tick_ >> (kSlotBits * level)) & (kSlots - 1);
    const uint64_t rotated = std::rotr(bits, static_cast<int>((position + 1) & (kSlots - 1)));
    const uint64_t steps = static_cast<uint64_t>(std::countr_zero(rotated)) + 1;
    const uint64_t base = (current_tick_ >> (kSlotBits * level)) << (kSlotBits * level);
    const uint64_t candidate = base + (steps << (kSlotBits * level));
    // A higher level may come round before the lower one's slot; its distribution can only add
    // earlier timers.
    uint64_t wake = candidate;
    for (int upper = level + 1; upper < kLevels; ++upper) {
      if (occupied_[static_cast<size_t>(upper)] == 0) continue;
      const uint64_t turn = ((current_tick_ >> (kSlotBits * upper)) + 1) << (kSlotBits * upper);
      wake = std::min(wake, turn);
    }
    return start_ + kTick * wake;
  }
  return kNever;
}

}}  // namespace trireme
