#include "connection/drain_line.h"

#include <algorithm>

#include "connection/ending.h"
#include "runtime/memory/scarce.h"

namespace trireme { inline namespace v0 {

void DrainLine::begin(Duration drain_time_max) {
  loop_.assume_held();
  slots_.for_each_live([this](Connection& connection) { take(connection); });
  if (waiting_.empty()) return;
  begin_ = loop_.now();
  const Duration time_max = std::min(kTimeMax, drain_time_max / 2);
  gap_ = std::min(kGapMax, time_max / static_cast<Duration::rep>(waiting_.size()));
  on_timer();
}

void DrainLine::take(Connection& connection) {
  const Codec* const codec = connection.decoder.codec();
  const bool waits = !connection.life.is_draining() && codec->clients_return() &&
                     with_memory([&] { waiting_.push_back(&connection); });
  if (!waits) drain(connection);
}

TimePoint DrainLine::due_of(size_t place) const {
  return time_after(begin_, gap_ * static_cast<Duration::rep>(place));
}

void DrainLine::on_timer() {
  loop_.assume_held();
  while (next_ < waiting_.size() && due_of(next_) <= loop_.now()) drain(*waiting_[next_++]);
  if (next_ == waiting_.size()) return stop();
  loop_.timers().arm(*this, due_of(next_));
}

void DrainLine::drain(Connection& connection) {
  if (!connection.is_live()) return;
  ending_.drain(connection);
  turn_.schedule(connection);
}

void DrainLine::stop() {
  loop_.assume_held();
  loop_.timers().cancel(*this);
  waiting_.clear();
  next_ = 0;
}

}}  // namespace trireme
