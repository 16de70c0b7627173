// The composition root: builds Listener, loops and crew, and starts them. server_run.cc ends them.
//
// Who owns what: Server::Impl owns I/O workers, crew and Listener; the ServerContext, which owns
// the loops and the budget, is shared with every Peer and Reply. Order of the end: Listener,
// connections, loops, threads, Impl; the ServerContext dies with the last reference.
#include "trireme/server.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <new>
#include <span>

#include "accept/bind.h"
#include "accept/url_layers.h"
#include "runtime/check.h"
#include "runtime/drivers/driver_factory.h"
#include "runtime/drivers/readiness_driver.h"
#include "runtime/drivers/select_poller.h"
#include "server_impl.h"
#include "server_stats.h"
#include "server_validate.h"

namespace trireme { inline namespace v0 {
namespace {

constexpr int64_t kDescriptorsReserved = 32;  // for handlers, logs and our own

}  // namespace

Server::Server(ServerOptions options) : Server(std::move(options), real_platform()) {}

Server::Server(ServerOptions options, const Platform& platform)
    : impl_(std::make_unique<Impl>(std::move(options), platform)) {}

ListenerId Server::listen_service(std::string url, std::shared_ptr<const Codec> codec,
                                  std::shared_ptr<detail::Service> service, ListenOptions options) {
  CHECK(impl_->life.is_new(), "listen() and serve() come before start()");
  auto listening = std::make_unique<Listening>();
  listening->url = std::move(url);
  listening->codec = std::move(codec);
  listening->has_session = service != nullptr && service->has_session();
  listening->service = std::move(service);
  listening->options = std::move(options);
  listening->index = static_cast<uint32_t>(impl_->listenings.size());
  const ListenerId id{listening->index};
  impl_->listenings.push_back(std::move(listening));
  return id;
}

// Everything but threads. On failure all is taken down by destructors.
Result<Done> Server::Impl::build() {
  platform.kernel.fill_standard_descriptors();
  for (auto& listening : listenings) {
    listening->prepare(options.dispatch);
    Result<Done> chosen = choose_layers(*listening);
    if (!chosen) return chosen;
  }
  choose_budget(options, platform.kernel);
  int64_t descriptors = platform.kernel.raise_descriptor_limit();
  const auto io_count = static_cast<uint32_t>(
      options.io_workers > 0 ? options.io_workers : platform.threads.allowed_cpus());
  if (!options.driver.is_built_in()) {
    Result<Done> prepared = options.driver.factory()->prepare(io_count);
    if (!prepared) return prepared;
  }
  const bool selects = options.driver.kind() == DriverKind::kSelect;
  if (selects) descriptors = std::min<int64_t>(descriptors, SelectPoller::kDescriptorsMax);
  int64_t own = kDescriptorsReserved + 2 * (io_count + 1);
  for (const auto& listening : listenings) {
    const bool in_loops = listening->options.accepting == Accepting::kLoops;
    own += in_loops ? io_count : 1;
    // A driver that accepts by itself (io_uring) takes a client before there is a place for it.
    if (in_loops && !options.driver.is_built_in()) own += io_count;
  }
  const auto room = static_cast<size_t>(std::max<int64_t>(descriptors - own, 16));
  size_t connections_max = options.connections_max > 0 ? options.connections_max : room;
  if (selects && connections_max > room) {
    return usage("connections_max must be at most " + std::to_string(room) +
                 " with the driver select, which watches descriptors below 1024 only; choose the "
                 "driver epoll or poll for more");
  }
  connections_max = std::min(connections_max, kConnectionsMax);
  ServerContext* made = new ServerContext(platform, options, io_count, connections_max);
  context = ContextRef(made);
  if (!made->roster.has_home_numbers()) {
    return Error{Error::Code::kSystem,
                 "connection ids have no numbers left for " + std::to_string(io_count) +
                     " event loops: all servers of a process, and those that have ended and of "
                     "which a Peer or a Reply is kept, may have 1024 together"};
  }
  Result<Done> built = build_loops(io_count);
  if (built) built = validate_budget(*made, listenings);
  return built ? open_endpoints() : built;
}

Result<Done> Server::Impl::build_loops(uint32_t io_count) {
  ServerContext* const made = context.get();
  const uint32_t count = accepts_by(Accepting::kListener) ? io_count + 1 : io_count;
  for (uint32_t index = 0; index < count; ++index) {
    const bool is_listener = index == io_count;
    EventLoop& loop = is_listener ? made->listener_loop() : made->loop(index);
    const DriverKind kind = options.driver.kind();
    const bool edge = kind == DriverKind::kEpollEdge;
    int result = 0;
    if (!options.driver.is_built_in() && !is_listener) {
      loop.use_driver(
          options.driver.factory()->make(platform.kernel, made->buffers, loop.counters, result));
    } else {
      auto driver =
          std::make_unique<ReadinessDriver>(platform.kernel, made->buffers, loop.counters,
                                            edge && is_listener ? DriverKind::kEpoll : kind);
      result = driver->open();
      loop.use_driver(std::move(driver));
    }
    if (result < 0) {
      return Error{Error::Code::kSystem, "cannot make an event loop: " + why_not_watched(-result)};
    }
    if (is_listener) continue;
    io_workers.push_back(std::make_unique<IoWorker>(*made, index, listenings));
    kinds.push_back(io_workers.back()->kinds());
  }
  listener = std::make_unique<Listener>(*made);
  return Done{};
}

Result<Done> Server::Impl::open_endpoints() {
  std::vector<LoopDoor*> of_loops;
  if (accepts_by(Accepting::kLoops)) {
    const Driver::Traits driver = context.get()->loop(0).driver_traits();
    if (!driver.listens) {
      return usage("the driver " + std::string(driver.name) +
                   " does not accept: let the Listener do it (Accepting::kListener), or choose "
                   "another driver");
    }
    for (auto& io_worker : io_workers) {
      auto door = std::make_unique<LoopDoor>(*context.get(), io_worker->loop(), *io_worker);
      of_loops.push_back(door.get());
      io_worker->use_door(std::move(door));
    }
  }
  LoopDoor* const of_listener[] = {&listener->door()};
  for (auto& listening : listenings) {
    const bool in_loops = listening->options.accepting == Accepting::kLoops;
    const auto doors = in_loops ? std::span<LoopDoor* const>(of_loops) : of_listener;
    if (listening->demands_proxy) {
      for (LoopDoor* door : doors) door->expect_proxies(listening->index, *listening);
    }
    Result<Bound> bound = bind_listening(platform.kernel, *listening, doors);
    if (!bound) return bound.error();
    listener->endpoints().add(listening->index, std::move(bound.value()));
  }
  return Done{};
}

Result<Done> Server::Impl::start() {
  Result<Done> valid = validate_options(options, listenings);
  if (!valid) return valid;
  Result<Done> built = build();
  if (!built) return built;
  const bool adaptive =
      std::any_of(listenings.begin(), listenings.end(),
                  [](const auto& listening) { return listening->dispatch == Dispatch::kAdaptive; });
  const Driver::Traits driver = context.get()->loop(0).driver_traits();
  if (adaptive && !driver.loop_may_move) {
    context.get()->log.info("no loop changes hands with the driver " + std::string(driver.name) +
                            ": handlers start on data workers, unless their kind is pinned");
  }
  crew = std::make_shared<Crew>(*context.get(), static_cast<uint32_t>(options.data_workers),
                                adaptive && driver.loop_may_move);
  std::vector<HeldLoop*> loops;
  for (auto& io_worker : io_workers) {
    io_worker->use_crew(crew.get());
    io_worker->loop().set_poll_time_max(options.poll_time_max);
    loops.push_back(io_worker.get());
  }
  const bool needs_data_workers =
      std::any_of(listenings.begin(), listenings.end(),
                  [](const auto& listening) { return listening->dispatch != Dispatch::kInline; });
  int error = crew->start(loops, needs_data_workers);
  if (error == 0) error = listener->start();
  if (error == 0) {
    crew->start_watchers();
    return Done{};
  }
  listener->stop();
  stop_loops(kNever);
  crew->join();
  crew->join_lookouts(platform.clock.now() + kLookoutPatience);
  return Error{Error::Code::kSystem, std::string("cannot start a thread: ") + std::strerror(error) +
                                         "; raise the limit of processes (ulimit -u), or choose "
                                         "fewer event loops"};
}

Result<Done> Server::start() {
  if (!impl_->life.begin_start()) return usage("the server was drained before it started");
  Result<Done> result = Error{Error::Code::kSystem, "there is not enough memory to start"};
  try {
    result = impl_->start();
  } catch (const std::bad_alloc&) {
    CHECK(impl_->crew == nullptr, "no memory to start threads");
  }
  if (result) {
    impl_->is_there.store(true, std::memory_order_release);
    impl_->life.note_running();
    return result;
  }
  impl_->crew.reset();
  impl_->listener.reset();
  impl_->io_workers.clear();
  impl_->context = ContextRef();  // with it the loops and their descriptors
  impl_->life.note_failed();
  return result;
}

std::vector<std::string> Server::urls() const {
  if (impl_->is_there.load(std::memory_order_acquire)) return impl_->listener->endpoints().urls();
  std::vector<std::string> urls;
  for (const auto& listening : impl_->listenings) urls.push_back(listening->url);
  return urls;
}

Stats Server::stats() const {
  if (!impl_->is_there.load(std::memory_order_acquire)) return {};
  Stats stats = collect_stats(*impl_->context.get(), impl_->crew->data_workers());
  stats.stall_reports = impl_->crew->stall_reports();
  for (const auto& listening : impl_->listenings) {
    for (uint32_t kind = 0; kind <= Kinds::kCallbacks; ++kind) {
      KindStats sum{
          .service = listening->options.name, .kind = kind, .callbacks = kind == Kinds::kCallbacks};
      for (const auto& table : impl_->kinds) {
        add_kind(sum, (*table)[listening->index]->records[kind]);
      }
      if (sum.requests_inline + sum.requests_on_data_workers > 0) {
        stats.kinds.push_back(std::move(sum));
      }
    }
  }
  return stats;
}

}}  // namespace trireme
