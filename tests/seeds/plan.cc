#include "plan.h"

#include <algorithm>

namespace seeds {
namespace {

using namespace std::chrono_literals;

constexpr Duration kPatience = 20s;  // nothing takes as long, unless somebody never reads

size_t pick(Random& random, std::initializer_list<size_t> values) {
  return values.begin()[random.below(values.size())];
}

void draw_limits(Random& random, tr::Limits& limits) {
  limits.frame_bytes_max = pick(random, {80, 500, 4'000, 20'000, 1 << 20});
  if (random.chance(1, 2)) {
    limits.write_bytes_high = pick(random, {0, 1, 100, 2'000, 30'000});
    limits.write_bytes_low = random.below(limits.write_bytes_high + 1);
  }
  if (random.chance(1, 2)) limits.read_ahead_bytes_max = pick(random, {1, 50, 1'000, 10'000});
  limits.in_flight_max = static_cast<uint32_t>(pick(random, {1, 2, 5, 64}));
  if (random.chance(1, 8)) limits.idle_time_max = draw_time(random, 20ms, 200ms);
  if (random.chance(1, 8)) limits.request_time_max = draw_time(random, 20ms, 200ms);
  if (random.chance(1, 8)) limits.write_time_max = draw_time(random, 20ms, 200ms);
}

void draw_options(Random& random, Plan& plan) {
  tr::ServerOptions& options = plan.options;
  options.dispatch = static_cast<tr::Dispatch>(random.below(3));
  options.driver = static_cast<tr::DriverKind>(random.below(4));
  options.io_workers = static_cast<int>(1 + random.below(4));
  options.data_workers = static_cast<int>(1 + random.below(8));
  options.drain_time_max = random.chance(1, 4) ? draw_time(random, 1ms, 100ms) : kPatience;
  if (random.chance(1, 8)) options.linger_time_max = draw_time(random, 1ms, 50ms);
  if (random.chance(1, 8)) options.linger_bytes_max = random.below(5'000);
  if (random.chance(1, 8)) options.connections_max = 1 + random.below(8);
  options.log = [](tr::LogLevel, std::string_view) {};
  constexpr size_t kFixed = 64 << 10;
  const auto loops = static_cast<size_t>(options.io_workers);
  const auto threads = loops + static_cast<size_t>(options.data_workers);
  // Read buffers of loops and Listener, gathered replies; one of each spare; stolen ones.
  plan.fixed_bytes_max = kFixed * (2 * loops + 1 + threads + threads + plan.clients.size());
  if (random.chance(1, 8)) {
    options.buffer_bytes_max = kFixed * (3 * loops + 2) * 4 / 3 + random.below(400'000);
  }
}

ClientPlan draw_client(Random& random) {
  ClientPlan client;
  client.service = random.below(3);
  client.manner = static_cast<Manner>(random.below(4));
  if (random.chance(1, 40)) client.manner = Manner::kNeverReads;
  client.starts_after = draw_time(random, 0ms, random.chance(1, 4) ? 30ms : 1ms);
  client.resets_after = draw_time(random, 0ms, 40ms);
  client.piece_bytes_max = pick(random, {7, 60, 400, 5'000, 100'000});
  client.think_max = random.chance(1, 2) ? 0ms : draw_time(random, 0ms, 4ms);
  client.read_bytes_max = pick(random, {100, 2'000, 65'536});
  client.pauses_of_100 = random.chance(1, 3) ? random.below(20) : 0;
  client.sends_rest = random.chance(1, 4);
  return client;
}

const char* name_of(tr::Dispatch dispatch) {
  if (dispatch == tr::Dispatch::kInline) return "inline";
  return dispatch == tr::Dispatch::kWorkers ? "workers" : "adaptive";
}

const char* name_of(tr::DriverKind driver) {
  constexpr const char* kNames[] = {"LT", "ET", "poll", "select"};
  return kNames[static_cast<size_t>(driver)];
}

}  // namespace

Duration draw_time(Random& random, Duration min, Duration max) {
  return min + Duration(random.below(static_cast<uint64_t>((max - min).count()) + 1));
}

Plan draw_plan(Random& random) {
  Plan plan;
  const uint64_t clients = 1 + random.below(random.chance(1, 3) ? 20 : 8);
  for (uint64_t i = 0; i < clients; ++i) plan.clients.push_back(draw_client(random));
  draw_options(random, plan);
  for (size_t i = 0; i < plan.services.size(); ++i) {
    ServicePlan& service = plan.services[i];
    service.form = static_cast<Form>(i);
    service.lines = random.chance(2, 3);
    service.options.ordering = static_cast<tr::Ordering>(random.below(2));
    if (service.lines && random.chance(1, 8)) {
      service.options.handler_time_max = draw_time(random, 1ms, 30ms);
    }
    if (random.chance(1, 2)) service.options.accepting = tr::Accepting::kLoops;
    draw_limits(random, service.options.limits);
  }
  plan.waits_for_clients = random.chance(1, 2);
  plan.drains_after = draw_time(random, 0ms, random.chance(1, 2) ? 15ms : 80ms);
  plan.calms = random.chance(1, 2);
  plan.drains_twice = random.chance(1, 10);
  if (random.chance(1, 12)) plan.cuts_after = draw_time(random, 1us, 20ms);
  return plan;
}

std::string Plan::describe() const {
  std::string text = std::string(name_of(options.dispatch)) + ", " +
                     name_of(options.driver.kind()) + ", io " + std::to_string(options.io_workers) +
                     ", data " + std::to_string(options.data_workers) + ", clients " +
                     std::to_string(clients.size()) + ", services";
  for (const ServicePlan& service : services) {
    text += service.lines ? " lines" : " bytes";
    text += service.serial() ? "/serial" : "/pipelined";
    if (service.options.accepting == tr::Accepting::kLoops) text += "/loops accept";
  }
  return text;
}

bool Plan::is_patient() const {
  bool all_read = true;
  for (const ClientPlan& client : clients) {
    all_read = all_read && client.manner != Manner::kNeverReads;
  }
  return all_read && options.drain_time_max == kPatience && cuts_after == Duration(0);
}

}  // namespace seeds
