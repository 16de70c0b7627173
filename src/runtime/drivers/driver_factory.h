// Makes the drivers of a server: how a component brings its own.
//
// Step: below steps 1, 2 and 6. Thread: the one that starts the server.
#pragma once

#include <cstdint>
#include <memory>

#include "runtime/counters.h"
#include "runtime/drivers/driver.h"
#include "runtime/memory/buffers.h"
#include "runtime/system/kernel.h"
#include "trireme/result.h"

namespace trireme { inline namespace v0 {

class DriverFactory {
 public:
  virtual ~DriverFactory() = default;
  // Before start(). Asks the system for what the drivers of so many loops need. If it is refused,
  // the sentence says why and what to change. start() calls it once, before make().
  virtual Result<Done> prepare(uint32_t) const { return Done{}; }
  // Before start(). One for each I/O worker; all arguments outlive it. `error`: 0 or -errno.
  virtual std::unique_ptr<Driver> make(Kernel& kernel, Buffers& buffers, LoopCounters& counters,
                                       int& error) const = 0;
};

}}  // namespace trireme
