// Makes the drivers of a server: how a component brings its own.
//
// Step: below steps 1, 2 and 6. Thread: the one that starts the server.
#pragma once

#include <memory>

#include "runtime/memory/buffers.h"
#include "runtime/counters.h"
#include "runtime/drivers/driver.h"
#include "runtime/system/kernel.h"

namespace trireme { inline namespace v0 {

class DriverFactory {
 public:
  virtual ~DriverFactory() = default;
  // Before start(). One for each I/O worker; all arguments outlive it. `error`: 0 or -errno.
  virtual std::unique_ptr<Driver> make(Kernel& kernel, Buffers& buffers, LoopCounters& counters,
                                       int& error) const = 0;
};

}}  // namespace trireme
