// The inside of the public World.
//
// Step: none, test support. Thread: any fiber of the world.
#pragma once

#include <memory>

#include "sim/director.h"
#include "sim/machine.h"
#include "trireme/sim/world.h"

namespace trireme { inline namespace v0 { namespace sim {

struct World::Impl {
  Impl(uint64_t seed, const WorldOptions& options, Director& by);

  // Of a world by itself; the other ones are explore()'s.
  std::unique_ptr<RunRecord> own_record;
  std::unique_ptr<Director> own_director;
  Director& director;
  Machine machine;
  int clients_at_work = 0;
};

}}}  // namespace trireme::sim
