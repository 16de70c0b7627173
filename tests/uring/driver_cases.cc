// The driver io_uring with its own sizes, with few and little buffers, and with the flags that
// older kernels have, for the conformance suite. No case where the system refuses io_uring.
#include "support/unit_driver.h"
#include "trireme/uring.h"
#include "uring/uring_driver.h"

namespace trireme { inline namespace v0 { namespace unit {
namespace {

using Sizes = uring::UringDriver::Sizes;

std::unique_ptr<Driver> make_with(const Sizes& sizes, Kernel& kernel, Buffers& buffers,
                                  LoopCounters& counters) {
  auto driver = std::make_unique<uring::UringDriver>(kernel, buffers, counters, sizes);
  EXPECT_EQ(driver->open(), 0);
  return driver;
}

template <size_t kernel_age>
std::unique_ptr<Driver> make(Kernel& kernel, Buffers& buffers, LoopCounters& counters) {
  return make_with({.kernel_age = kernel_age}, kernel, buffers, counters);
}

std::unique_ptr<Driver> make_scarce(Kernel& kernel, Buffers& buffers, LoopCounters& counters) {
  return make_with({.small_bytes = 512, .small_count = 4, .large_bytes = 2048, .large_count = 2},
                   kernel, buffers, counters);
}

std::unique_ptr<Driver> make_single(Kernel& kernel, Buffers& buffers, LoopCounters& counters) {
  return make_with({.accepts_many = false}, kernel, buffers, counters);
}

DriverCase ring(const char* name, decltype(DriverCase::make) make_it) {
  DriverCase it{.name = name, .make = make_it, .refuses = Refuses::kNothing};
  it.accepts_by_itself = true;
  return it;
}

}  // namespace

std::vector<DriverCase> drivers() {
  ServerOptions options;
  if (!use_io_uring(options)) return {};
  return {ring("io_uring", make<0>), ring("io_uring scarce", make_scarce),
          ring("io_uring of 6.0", make<1>), ring("io_uring single accepts", make_single)};
}

}}}  // namespace trireme::unit
