// What a seed's world is like: draws of faults, and the nature of the world, which is no fault.
// Every seed draws its own numbers (swarm testing).
//
// Step: none, test support. Thread: any fiber; changed only between calls.
#pragma once

#include <cstdint>

#include "runtime/system/clock.h"
#include "runtime/system/random.h"
#include "trireme/sim/faults.h"

namespace trireme { inline namespace v0 { namespace sim {

// Faults of the machine and of the network; clients keep to their manners.
Faults draw_faults(Random& random);

// Decides whether a fault that has been drawn happens: how a plan leaves faults out.
class FaultGate {
 public:
  virtual ~FaultGate() = default;
  // Any fiber. `client`: the number of the client that has the fault; 0 for the machine.
  virtual bool lets(FaultKind kind, uint32_t client) = 0;
};

// What a seed draws that is not a fault: always in force.
struct Nature {
  uint32_t switched = 0;        // chance in 10,000 of a fiber switch at a scheduling point
  Duration step_cost_max{0};    // each scheduling point costs 100 ns up to this
  uint32_t receive_buffer = 0;  // bytes; the sum of both is what a direction holds
  uint32_t send_buffer = 0;
  Duration start_time{0};  // of the monotonic clock; sometimes close to 2^31 or 2^32 ms

  static Nature draw(Random& random);
};

}}}  // namespace trireme::sim
