// testing::Table: conversations that share a service and a clock. Each is a server by itself, as a
// loop among others would be, so what one sends to another comes as mail.
#include <algorithm>
#include <utility>
#include <vector>

#include "runtime/check.h"
#include "server_manual_clock.h"
#include "trireme/testing/table.h"

namespace trireme { inline namespace v0 { namespace testing {

struct Table::Impl {
  // Pushes may lead to pushes: a conversation that has had its turn may have mail again.
  void turn_all() {
    for (size_t round = 0; round <= seats.size(); ++round) {
      for (const auto& seat : seats) seat->turn();
    }
  }

  std::shared_ptr<const Codec> codec;
  std::shared_ptr<detail::Service> service;
  ListenOptions options;
  std::shared_ptr<ManualClock> clock = std::make_shared<ManualClock>();
  std::vector<std::unique_ptr<Conversation>> seats;
};

Table::Table(std::shared_ptr<const Codec> codec, std::shared_ptr<detail::Service> service,
             ListenOptions options)
    : impl_(new Impl{std::move(codec), std::move(service), std::move(options)}) {}

Table::~Table() = default;

Conversation& Table::join() {
  const auto number = static_cast<int>(impl_->seats.size()) + 1;
  impl_->seats.emplace_back(
      new Conversation(impl_->codec, impl_->service, impl_->options, impl_->clock, number));
  return *impl_->seats.back();
}

Conversation& Table::seat(size_t index) {
  CHECK(index < impl_->seats.size(), "a table has the seats that were taken by join()");
  return *impl_->seats[index];
}

size_t Table::seats_count() const { return impl_->seats.size(); }

void Table::advance(std::chrono::nanoseconds time) {
  impl_->turn_all();
  const TimePoint until = impl_->clock->after(time);
  do {
    TimePoint next = until;
    for (const auto& seat : impl_->seats) next = std::min(next, seat->next_wake());
    impl_->clock->advance_to(next);
    impl_->turn_all();
  } while (impl_->clock->now() < until);
}

void Table::drain() {
  for (const auto& seat : impl_->seats) seat->begin_drain();
  impl_->turn_all();
}

}}}  // namespace trireme::testing
