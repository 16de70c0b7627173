#include "trireme/sim/world.h"

#include <optional>
#include <utility>

#include "sim/client_impl.h"
#include "sim/director.h"
#include "sim/machine.h"
#include "sim/world_impl.h"

namespace trireme { inline namespace v0 { namespace sim {
namespace {

MachineOptions machine_options(uint64_t seed, const WorldOptions& options, Director& director) {
  MachineOptions machine;
  machine.gate = &director;
  machine.faults = options.faults ? *options.faults : Faults::drawn(seed);
  machine.descriptors_max = options.descriptors_max;
  machine.has_ipv6 = options.has_ipv6;
  machine.cpus_count = options.cpus_count;
  machine.steps_max = options.steps_max;
  machine.time_max = options.time_max;
  machine.locks_are_points = true;
  machine.stack_bytes = options.stack_bytes;
  machine.log = options.log;
  return machine;
}

}  // namespace

World::Impl::Impl(uint64_t seed, const WorldOptions& options, Director& by)
    : director(by), machine(seed, machine_options(seed, options, by)) {
  director.attach(machine.scheduler());
}

World::World(uint64_t seed, const WorldOptions& options) {
  auto record = std::make_unique<RunRecord>();
  record->seed = seed;
  auto director = std::make_unique<Director>(*record, nullptr, false);
  impl_ = std::make_unique<Impl>(seed, options, *director);
  impl_->own_record = std::move(record);
  impl_->own_director = std::move(director);
}

World::World(uint64_t seed, const WorldOptions& options, Director& director)
    : impl_(std::make_unique<Impl>(seed, options, director)) {}

World::~World() = default;

void World::run(const std::function<void()>& main) {
  impl_->machine.run([this, &main] {
    try {
      main();
    } catch (const std::exception& error) {
      fail(std::string("the scenario throws: ") + error.what(), {});
    } catch (...) {
      fail("the scenario throws", {});
    }
  });
}

const Platform& World::platform() const { return impl_->machine.platform(); }

void World::start(Server& server, Where where) {
  const Result<Done> started = server.start();
  if (!started) fail("the server does not start: " + started.error().message, where);
}

void World::finish(Server& server, Where where) {
  wait_for_clients();
  calm();
  const std::vector<StuckJob> stuck = server.drain();
  if (!stuck.empty()) {
    fail("a handler of '" + stuck[0].service + "' had not returned when the drain ended", where);
  }
  const char* why = nullptr;
  if (!books_balance(server.stats(), &why)) {
    fail(std::string("the books of the server do not balance: ") + why, where);
  }
}

uint32_t World::client(std::string name, std::function<void(Client&)> function) {
  const auto [number, takes_part] = impl_->director.add_client(name);
  if (!takes_part) return number;
  ++impl_->clients_at_work;
  const std::string fiber_name = "client " + std::to_string(number) + " " + name;
  impl_->machine.spawn(fiber_name, [this, number = number, name = std::move(name),
                                    function = std::move(function)]() mutable {
    {
      Client client(std::make_unique<Client::Impl>(*this, *impl_, number, std::move(name)));
      client.impl_->run(client, function);
    }
    function = nullptr;  // what it captured is gone before anybody hears of the end
    if (--impl_->clients_at_work == 0) {
      impl_->machine.scheduler().wake_all(&impl_->clients_at_work);
    }
  });
  return number;
}

void World::wait_for_clients() {
  Scheduler& scheduler = impl_->machine.scheduler();
  scheduler.point();
  while (impl_->clients_at_work > 0) {
    scheduler.block_at(&impl_->clients_at_work, {"the end of all clients"});
  }
}

void World::spawn(std::string_view name, std::function<void()> function) {
  impl_->machine.spawn(name, std::move(function));
}

void World::check(bool condition, std::string_view sentence, Where where) {
  if (!condition) fail(sentence, where);
}

void World::fail(std::string_view sentence, Where where) { impl_->director.fail(sentence, where); }

void World::put_file(const std::string& path, std::string bytes) {
  Network& network = impl_->machine.network();
  std::shared_ptr<FileContent>& content = network.files[path];
  if (content == nullptr) content = std::make_shared<FileContent>();
  if (content->inode == 0) content->inode = ++network.last_inode;
  content->bytes = std::move(bytes);
}

void World::sleep_for(std::chrono::nanoseconds time) { impl_->machine.sleep_for(time); }

bool World::wait_until(const std::function<bool()>& condition, std::chrono::nanoseconds limit) {
  return impl_->machine.wait_for(condition, limit);
}

void World::calm() { impl_->machine.calm(); }

std::chrono::nanoseconds World::now() const {
  return impl_->machine.now() - impl_->machine.scheduler().started();
}

uint64_t World::below(uint64_t bound) { return impl_->machine.random().below(bound); }

uint64_t World::happened(FaultKind kind) const { return impl_->director.happened(kind); }
uint64_t World::lost_clients() const { return happened(FaultKind::kClientReset); }
int World::open_descriptors() const { return impl_->machine.kernel().open_count(); }
int World::living_threads() const { return impl_->machine.threads().living_count(); }
uint64_t World::seed() const { return impl_->machine.seed(); }
const Faults& World::faults() const { return impl_->machine.faults(); }
uint64_t World::trace_hash() const { return impl_->machine.trace_hash(); }
uint64_t World::steps() const { return impl_->machine.steps(); }

}}}  // namespace trireme::sim
