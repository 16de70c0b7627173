#include "server_validate.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>

#include "accept/endpoint.h"
#include "accept/socket_options.h"
#include "handling/placement.h"
#include "handling/read_buffers.h"
#include "runtime/log.h"
#include "runtime/memory/buffers.h"
#include "runtime/system/clock.h"

namespace trireme { inline namespace v0 {
namespace {

constexpr Duration kPollTimeMax = std::chrono::milliseconds(10);  // beyond it nothing is saved
// Of one connection, whose bytes are counted with 32 bits.
constexpr size_t kConnectionBytesMax = 1 << 30;
constexpr uint32_t kInFlightMax = 65'536;
constexpr uint32_t kTimersMax = 250;      // counted with 8 bits
constexpr uint32_t kCallsMax = 65'535;    // with 16 bits
constexpr size_t kListenersMax = 65'535;  // likewise
constexpr uint32_t kLayerStepsMax = 1 << 20;
constexpr uint32_t kStreamQueueMax = 1 << 20;

// The first amount of a connection that is out of its bounds, or null.
const char* wrong_amount(const Limits& limits) {
  if (limits.frame_bytes_max == 0 || limits.frame_bytes_max > kConnectionBytesMax)
    return "frame_bytes_max must be 1 byte to 1 GiB";
  if (limits.write_bytes_high > kConnectionBytesMax)
    return "write_bytes_high must not be over 1 GiB";
  if (limits.write_bytes_low > limits.write_bytes_high)
    return "write_bytes_low must not be over write_bytes_high";
  if (limits.read_ahead_bytes_max > kConnectionBytesMax)
    return "read_ahead_bytes_max must not be over 1 GiB";
  if (limits.in_flight_max == 0 || limits.in_flight_max > kInFlightMax)
    return "in_flight_max must be 1 to 65536";
  if (limits.body_bytes_ahead_max == 0 || limits.body_bytes_ahead_max > kConnectionBytesMax)
    return "body_bytes_ahead_max must be 1 byte to 1 GiB";
  if (limits.stream_rate_min > kConnectionBytesMax) return "stream_rate_min must not be over 1 GiB";
  if (limits.timers_max > kTimersMax) return "timers_max must be 0 to 250";
  if (limits.calls_max > kCallsMax) return "calls_max must be 0 to 65535";
  return nullptr;
}

// The first option of listening sockets that is out of its bounds, or null.
const char* wrong_option(const SocketOptions& options) {
  using std::chrono::milliseconds, std::chrono::seconds;
  constexpr seconds kKernelMax(32'767);  // of TCP's own options, in seconds
  const auto in = [](auto time, auto most) { return time.count() >= 0 && time <= most; };
  if (!in(options.keep_alive_time, kKernelMax)) return "keep_alive_time must be 0 to 32767 s";
  if (!in(options.keep_alive_interval, kKernelMax))
    return "keep_alive_interval must be 0 to 32767 s";
  if (options.keep_alive_probes_max < 0 || options.keep_alive_probes_max > 127)
    return "keep_alive_probes_max must be 0 to 127";
  const bool is_of_keep_alive =
      options.keep_alive_interval.count() > 0 || options.keep_alive_probes_max > 0;
  if (is_of_keep_alive && options.keep_alive_time.count() == 0)
    return "keep_alive_interval and keep_alive_probes_max need a keep_alive_time";
  if (!in(options.unconfirmed_time_max, milliseconds(INT32_MAX)))
    return "unconfirmed_time_max must be 0 to 2147483647 ms";
  if (!in(options.defer_accept_time, kKernelMax)) return "defer_accept_time must be 0 to 32767 s";
  if (options.interface_name.size() > 15) return "interface_name must be 0 to 15 bytes";
  if (options.mode.value_or(0) > 0777) return "mode must be 0 to 0777";
  return nullptr;
}

// Two listeners cannot have one descriptor.
Result<Done> validate_descriptors(const std::vector<std::unique_ptr<Listening>>& listenings) {
  std::vector<Endpoint> seen;
  for (const auto& listening : listenings) {
    const Result<Endpoint> endpoint = parse_endpoint(listening->url);
    if (!endpoint || !endpoint.value().is_inherited()) continue;
    const Endpoint& here = endpoint.value();
    for (const Endpoint& there : seen) {
      if (there.kind != here.kind || there.fd != here.fd) continue;
      const bool is_systemd = here.kind == Endpoint::Kind::kSystemd;
      if (is_systemd && there.name != here.name && !there.name.empty() && !here.name.empty())
        continue;
      return usage("'" + listening->url +
                   "' is served already; systemd: stands for all sockets "
                   "that were passed, systemd:NAME for some, fd:N for one");
    }
    seen.push_back(here);
  }
  return Done{};
}

constexpr int64_t kConnectionBytesMin = 4 << 10;  // the least that a part of a request takes

Result<Done> at_least_zero(std::initializer_list<std::pair<const char*, Duration>> times) {
  for (const auto& [name, time] : times) {
    if (time >= Duration(0)) continue;
    return usage(std::string(name) + " must be 0 or more, and is " + std::to_string(time.count()) +
                 " ns");
  }
  return Done{};
}

}  // namespace

Error usage(std::string message) { return {Error::Code::kUsage, std::move(message)}; }

// Asks what was given, not what prepare() makes of it later.
Result<Done> validate_listening(const Listening& listening) {
  const ListenOptions& options = listening.options;
  const Limits& limits = options.limits;
  if (listening.codec == nullptr)
    return usage("cannot serve '" + listening.url + "': its codec is a null pointer");
  if (listening.service == nullptr) {
    return usage("cannot serve '" + listening.url +
                 "': its handler is a null pointer, or an empty std::function");
  }
  if (options.backlog < 1)
    return usage("backlog must be at least 1, and is " + std::to_string(options.backlog));
  Result<Done> times = at_least_zero({{"idle_time_max", limits.idle_time_max},
                                      {"first_byte_time_max", limits.first_byte_time_max},
                                      {"handshake_time_max", limits.handshake_time_max},
                                      {"request_time_max", limits.request_time_max},
                                      {"write_time_max", limits.write_time_max},
                                      {"stream_rate_time", limits.stream_rate_time},
                                      {"handler_time_max", options.handler_time_max}});
  if (!times) return times;
  if (const char* wrong = wrong_amount(limits)) return usage(wrong);
  for (const auto& layer : options.layers) {
    if (layer == nullptr)
      return usage("cannot serve '" + listening.url + "': one of its layers is a null pointer");
  }
  if (const char* wrong = wrong_option(options.socket)) return usage(wrong);
  const std::string problem = listening.codec->problem(limits.frame_bytes_max);
  if (!problem.empty()) return usage("cannot serve '" + listening.url + "': " + problem);
  for (const PinnedKind& pin : listening.options.pinned_kinds) {
    if (pin.kind >= Kinds::kShared || pin.dispatch == Dispatch::kAdaptive) {
      return usage("a pinned kind is 0 to 14, pinned to Dispatch::kInline or Dispatch::kWorkers");
    }
  }
  const Ordering ordering = listening.options.ordering;
  if (ordering != Ordering::kSerial && listening.has_session && !listening.service->concurrent()) {
    return usage(std::string("a session with Ordering::") +
                 (ordering == Ordering::kPipelined ? "kPipelined" : "kUnordered") +
                 " must declare `static constexpr bool concurrent = true`");
  }
  return Done{};
}

namespace {

// A wait for a client needs the loop that its handler would keep.
Result<Done> validate_streams(const Listening& listening, Dispatch of_server) {
  if (listening.options.dispatch.value_or(of_server) != Dispatch::kInline) return Done{};
  const bool takes_parts = listening.has_session && listening.service->session().has_on_body;
  const bool waits = listening.codec->marks_streams() && !takes_parts;
  if (!listening.options.streams && !waits) return Done{};
  return usage("cannot serve '" + listening.url +
               "' with Dispatch::kInline: its handlers wait on streams, and the loop that they "
               "would keep is the one that brings the bytes; choose kAdaptive or kWorkers");
}

}  // namespace

Result<Done> validate_options(const ServerOptions& options,
                              const std::vector<std::unique_ptr<Listening>>& listenings) {
  if (listenings.empty()) return usage("nothing to serve: call listen() before start()");
  if (listenings.size() > kListenersMax) return usage("a server has at most 65535 listeners");
  if (options.io_workers < 0 || options.io_workers > 1023)
    return usage("io_workers must be 0 to 1023");
  if (options.data_workers < 1 || options.data_workers > 10000)
    return usage("data_workers must be 1 to 10000");
  if (options.stream_workers < 0 || options.stream_workers > options.data_workers)
    return usage("stream_workers must be 0 to data_workers");
  if (options.stream_queue_max > kStreamQueueMax)
    return usage("stream_queue_max must be 0 to 1048576");
  if (options.layer_workers < 0 || options.layer_workers > 1023)
    return usage("layer_workers must be 0 to 1023");
  if (options.disk_workers < 1 || options.disk_workers > 1023)
    return usage("disk_workers must be 1 to 1023");
  if (options.layer_steps_max < 1 || options.layer_steps_max > kLayerStepsMax)
    return usage("layer_steps_max must be 1 to 1048576");
  if (!options.driver.is_built_in() && options.driver.factory() == nullptr)
    return usage("the driver is a null pointer: choose a DriverKind, or the driver of a component");
  if (options.poll_time_max < Duration(0) || options.poll_time_max > kPollTimeMax)
    return usage("poll_time_max must be 0 to 10 ms");
  if (options.address_prefix_bits < 1 || options.address_prefix_bits > 128)
    return usage("address_prefix_bits must be 1 to 128");
  if (options.linger_bytes_max > kConnectionBytesMax)
    return usage("linger_bytes_max must not be over 1 GiB");
  if (options.connections_max > kConnectionsMax) {
    return usage("connections_max must be at most " + std::to_string(kConnectionsMax) +
                 ", and is " + std::to_string(options.connections_max));
  }
  Result<Done> times = at_least_zero({{"drain_time_max", options.drain_time_max},
                                      {"linger_time_max", options.linger_time_max},
                                      {"stall_time", options.stall_time}});
  if (!times) return times;
  for (const auto& listening : listenings) {
    Result<Endpoint> endpoint = parse_endpoint(listening->url);
    if (!endpoint) return endpoint.error();
    Result<Done> valid = validate_listening(*listening);
    if (valid) valid = validate_streams(*listening, options.dispatch);
    if (valid) valid = validate_kind(listening->url, endpoint.value(), listening->options);
    if (!valid) return valid;
  }
  return validate_descriptors(listenings);
}

Result<Done> validate_budget(ServerContext& context,
                             const std::vector<std::unique_ptr<Listening>>& all) {
  const bool adaptive = std::any_of(all.begin(), all.end(), [](const auto& listening) {
    return listening->dispatch == Dispatch::kAdaptive;
  });
  int64_t fixed = context.buffers.bytes_now();
  if (adaptive && context.loop(0).driver_traits().loop_may_move) {
    fixed += static_cast<int64_t>(ReadBuffers::kBytes) * context.io_workers();
  }
  // At three quarters nobody is accepted.
  const int64_t least = (fixed + kConnectionBytesMin) * 4 / 3;
  if (context.options.buffer_bytes_max >= static_cast<size_t>(least)) return Done{};
  return usage("buffer_bytes_max must be at least " + std::to_string(least) + ", and is " +
               std::to_string(context.options.buffer_bytes_max) + ": the buffers of " +
               std::to_string(context.io_workers()) + " event loops alone take " +
               std::to_string(fixed) + " bytes, and at three quarters no client is accepted");
}

void choose_budget(ServerOptions& options, Kernel& kernel) {
  if (options.buffer_bytes_max > 0) return;
  const auto half = static_cast<size_t>(kernel.memory_limit() / 2);
  options.buffer_bytes_max = kBudgetStandard;
  if (half == 0 || half >= kBudgetStandard) return;
  options.buffer_bytes_max = half;
  Log(options.log, options.log_level)
      .info("the byte budget is " + std::to_string(half) +
            ", half of the memory that this process may use");
}

}}  // namespace trireme
