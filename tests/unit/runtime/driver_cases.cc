// The drivers of the library, for the conformance suite.
#include "runtime/drivers/readiness_driver.h"
#include "support/unit_driver.h"

namespace trireme { inline namespace v0 { namespace unit {
namespace {

template <DriverKind kind>
std::unique_ptr<Driver> make(Kernel& kernel, Buffers& buffers, LoopCounters& counters) {
  auto driver = std::make_unique<ReadinessDriver>(kernel, buffers, counters, kind);
  EXPECT_EQ(driver->open(), 0);
  return driver;
}

}  // namespace

std::vector<DriverCase> drivers() {
  return {{.name = "epoll", .make = make<DriverKind::kEpoll>, .refuses = Refuses::kFiles},
          {.name = "epoll-et", .make = make<DriverKind::kEpollEdge>, .refuses = Refuses::kFiles},
          {.name = "poll", .make = make<DriverKind::kPoll>, .refuses = Refuses::kNothing},
          {.name = "select",
           .make = make<DriverKind::kSelect>,
           .refuses = Refuses::kHighDescriptors,
           .tells_hang_up_unasked = false}};
}

}}}  // namespace trireme::unit
