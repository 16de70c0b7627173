// The driver io_uring with its own sizes and with few and little buffers, for the conformance
// suite. No case where the system refuses io_uring.
#include "support/unit_driver.h"
#include "trireme/uring.h"
#include "uring/uring_driver.h"

namespace trireme::inline v0::unit {
namespace {

template <bool scarce>
std::unique_ptr<Driver> make(Kernel& kernel, Buffers& buffers, LoopCounters& counters) {
  uring::UringDriver::Sizes sizes;
  if (scarce) sizes = {.small_bytes = 512, .small_count = 4, .large_bytes = 2048, .large_count = 2};
  auto driver = std::make_unique<uring::UringDriver>(kernel, buffers, counters, sizes);
  EXPECT_EQ(driver->open(), 0);
  return driver;
}

}  // namespace

std::vector<DriverCase> drivers() {
  ServerOptions options;
  if (!use_io_uring(options)) return {};
  DriverCase plenty{.name = "io_uring", .make = make<false>, .refuses = Refuses::kNothing};
  plenty.accepts = false;
  DriverCase scarce = plenty;
  scarce.name = "io_uring scarce";
  scarce.make = make<true>;
  return {plenty, scarce};
}

}  // namespace trireme
