// The composition root: builds Listener, loops and crew, starts them, and ends them in order.
//
// Who owns what: Server::Impl owns I/O workers, crew and Listener; the Core, which owns the loops
// and the budget, is shared with every Peer and Reply. Order of the end: Listener, connections,
// loops, threads, Impl; the Core dies with the last reference.
#include "trireme/server.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <span>

#include "accept/bind.h"
#include "accept/listener.h"
#include "connection/io_worker.h"
#include "handling/crew.h"
#include "reply/core.h"
#include "reply/outbox.h"
#include "runtime/check.h"
#include "runtime/driver_factory.h"
#include "runtime/log_thread.h"
#include "runtime/mutex.h"
#include "runtime/readiness_driver.h"
#include "runtime/real_signals.h"
#include "runtime/select_poller.h"
#include "server_stats.h"
#include "server_validate.h"

namespace trireme::inline v0 {
namespace {

constexpr int64_t kDescriptorsReserved = 32;  // for handlers, logs and our own
constexpr Duration kCutGrace = std::chrono::milliseconds(50);
// What the destructor waits for a lookout: it ends in no time, unless its CPU is busy.
constexpr Duration kLookoutPatience = std::chrono::milliseconds(100);

}  // namespace

struct Server::Impl {
  Impl(ServerOptions given, const Platform& where)
      : options(std::move(given)), platform(where), log_thread(platform, options.log) {
    options.log = log_thread.queue();
  }

  Result<Done> start();
  Result<Done> build();
  Result<Done> build_loops(uint32_t io_count);
  Result<Done> open_endpoints();
  bool accepts_by(Accepting how) const {
    return std::any_of(listenings.begin(), listenings.end(), [how](const auto& listening) {
      return listening->options.accepting == how;
    });
  }
  std::vector<StuckJob> end();
  void stop_loops(TimePoint deadline);

  enum class State { kNew, kRunning, kEnding, kEnded };

  ServerOptions options;
  const Platform platform;
  const LogThread log_thread;
  std::vector<std::unique_ptr<Listening>> listenings;
  CoreRef core;
  std::vector<std::unique_ptr<IoWorker>> io_workers;
  std::vector<std::shared_ptr<const KindTable>> kinds;  // of each, for statistics
  std::shared_ptr<Crew> crew;
  std::unique_ptr<Listener> listener;
  std::atomic<bool> cut{false};  // cut_drain() was called; seq_cst with Crew::wait_loops_stopped
  std::atomic<bool> was_cut{false};  // the drain did not end in good order
  bool abandoned = false;
  bool joined = false;  // by end(); not when handlers were stuck, even if they have returned since

  Mutex mutex;
  State state GUARDED_BY(mutex) = State::kNew;
  std::vector<ParkSpot*> waiting GUARDED_BY(mutex);
  std::vector<StuckJob> stuck GUARDED_BY(mutex);
};

Server::Server(ServerOptions options) : Server(std::move(options), real_platform()) {}

Server::Server(ServerOptions options, const Platform& platform)
    : impl_(std::make_unique<Impl>(std::move(options), platform)) {}

Server::~Server() {
  if (impl_ == nullptr || impl_->abandoned) {
    static_cast<void>(impl_.release());  // abandon(): leaked on purpose, its threads still use it
    return;
  }
  drain();
  if (impl_->crew == nullptr) return;
  if (!impl_->joined) {
    impl_->crew->wait_loops_stopped(kNever, nullptr);
    impl_->crew->join();
  }
  impl_->crew->join_lookouts(impl_->platform.clock.now() + kLookoutPatience);
}

void Server::listen_service(std::string url, std::shared_ptr<const Codec> codec,
                            std::shared_ptr<Service> service, ListenOptions options) {
  {
    MutexLock lock(impl_->mutex);
    CHECK(impl_->state == Impl::State::kNew, "listen() and serve() come before start()");
  }
  auto listening = std::make_unique<Listening>();
  listening->url = std::move(url);
  listening->codec = std::move(codec);
  listening->has_session = service != nullptr && service->has_session();
  listening->service = std::move(service);
  listening->options = std::move(options);
  listening->index = static_cast<uint32_t>(impl_->listenings.size());
  impl_->listenings.push_back(std::move(listening));
}

// Everything but threads. On failure all is taken down by destructors.
Result<Done> Server::Impl::build() {
  platform.kernel.fill_standard_descriptors();
  for (auto& listening : listenings) listening->prepare(options.dispatch);
  int64_t descriptors = platform.kernel.raise_descriptor_limit();
  const auto io_count = static_cast<uint32_t>(
      options.io_workers > 0 ? options.io_workers : platform.threads.allowed_cpus());
  const bool selects = options.driver == DriverKind::kSelect && options.driver_factory == nullptr;
  if (selects) descriptors = std::min<int64_t>(descriptors, SelectPoller::kDescriptorsMax);
  int64_t own = kDescriptorsReserved + 2 * (io_count + 1);
  for (const auto& listening : listenings) {
    const bool in_loops = listening->options.accepting == Accepting::kLoops;
    own += in_loops ? io_count : 1;
    // A driver that accepts by itself (io_uring) takes a client before there is a place for it.
    if (in_loops && options.driver_factory != nullptr) own += io_count;
  }
  const auto room = static_cast<size_t>(std::max<int64_t>(descriptors - own, 16));
  size_t connections_max = options.connections_max > 0 ? options.connections_max : room;
  if (selects && connections_max > room) {
    return usage("connections_max must be at most " + std::to_string(room) +
                 " with the driver select, which watches descriptors below 1024 only; choose the "
                 "driver epoll or poll for more");
  }
  connections_max = std::min(connections_max, kConnectionsMax);
  Core* made = new Core(platform, options, io_count, connections_max);
  core = CoreRef(made);
  Result<Done> built = build_loops(io_count);
  if (built) built = validate_budget(*made, listenings);
  return built ? open_endpoints() : built;
}

Result<Done> Server::Impl::build_loops(uint32_t io_count) {
  Core* const made = core.get();
  const uint32_t count = accepts_by(Accepting::kListener) ? io_count + 1 : io_count;
  for (uint32_t index = 0; index < count; ++index) {
    const bool is_listener = index == io_count;
    EventLoop& loop = is_listener ? made->listener_loop() : made->loop(index);
    const bool edge = options.driver == DriverKind::kEpollEdge;
    int result = 0;
    if (options.driver_factory != nullptr && !is_listener) {
      loop.use_driver(
          options.driver_factory->make(platform.kernel, made->buffers, loop.counters, result));
    } else {
      auto driver = std::make_unique<ReadinessDriver>(
          platform.kernel, made->buffers, loop.counters,
          edge && is_listener ? DriverKind::kEpoll : options.driver);
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
  std::vector<Admission*> of_loops;
  if (accepts_by(Accepting::kLoops)) {
    const Driver::Traits driver = core.get()->loop(0).driver_traits();
    if (!driver.listens) {
      return usage("the driver " + std::string(driver.name) +
                   " does not accept: let the Listener do it (Accepting::kListener), or choose "
                   "another driver");
    }
    for (auto& io_worker : io_workers) {
      auto door = std::make_unique<Admission>(*core.get(), io_worker->loop(), *io_worker);
      of_loops.push_back(door.get());
      io_worker->use_acceptor(std::move(door));
    }
  }
  Admission* const of_listener[] = {&listener->door()};
  for (auto& listening : listenings) {
    const bool in_loops = listening->options.accepting == Accepting::kLoops;
    Result<Done> bound =
        bind_listening(platform.kernel, *listening,
                       in_loops ? std::span<Admission* const>(of_loops) : of_listener);
    if (!bound) return bound;
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
  const Driver::Traits driver = core.get()->loop(0).driver_traits();
  if (adaptive && !driver.loop_may_move) {
    core.get()->log.info("no loop changes hands with the driver " + std::string(driver.name) +
                         ": handlers start on data workers, unless their kind is pinned");
  }
  crew = std::make_shared<Crew>(*core.get(), static_cast<uint32_t>(options.data_workers),
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
  return Error{Error::Code::kSystem, std::string("cannot start a thread: ") + std::strerror(error) +
                                         "; raise the limit of processes (ulimit -u), or choose "
                                         "fewer event loops"};
}

Result<Done> Server::start() {
  {
    MutexLock lock(impl_->mutex);
    CHECK(impl_->state == Impl::State::kNew, "a server is started once");
    impl_->state = Impl::State::kRunning;
  }
  Result<Done> result = impl_->start();
  if (result) return result;
  impl_->crew.reset();
  impl_->listener.reset();
  impl_->io_workers.clear();
  impl_->core = CoreRef();  // with it the loops and their descriptors
  MutexLock lock(impl_->mutex);
  impl_->state = Impl::State::kEnded;
  return result;
}

std::vector<std::string> Server::urls() const {
  std::vector<std::string> urls;
  for (const auto& listening : impl_->listenings) urls.push_back(listening->url);
  return urls;
}

void Server::Impl::stop_loops(TimePoint deadline) {
  for (uint32_t i = 0; i < core.get()->io_workers(); ++i) {
    core.get()->loop(i).post(std::make_unique<PlainMail>(kMailDrain));
  }
  if (crew->wait_loops_stopped(deadline, &cut)) return;
  was_cut.store(true);
  for (uint32_t i = 0; i < core.get()->io_workers(); ++i) {
    core.get()->loop(i).post(std::make_unique<PlainMail>(kMailCut));
  }
  crew->wait_loops_stopped(platform.clock.now() + kCutGrace, nullptr);
}

std::vector<StuckJob> Server::Impl::end() {
  const TimePoint deadline = time_after(platform.clock.now(), options.drain_time_max);
  listener->stop();
  stop_loops(deadline);
  std::vector<StuckJob> jobs;
  if (crew->wait_loops_stopped(TimePoint::min(), nullptr)) {
    crew->join();
    joined = true;
  } else {
    jobs = crew->running_jobs();
  }
  log_thread.flush();
  return jobs;
}

std::vector<StuckJob> Server::drain() {
  CHECK(Outbox::current() == nullptr,
        "a handler must not drain its own server: it would wait for itself");
  ParkSpot spot;
  bool mine = false;
  {
    MutexLock lock(impl_->mutex);
    if (impl_->state == Impl::State::kNew) impl_->state = Impl::State::kEnded;
    if (impl_->state == Impl::State::kEnded) return impl_->stuck;
    mine = impl_->state == Impl::State::kRunning;
    impl_->state = Impl::State::kEnding;
    if (!mine) impl_->waiting.push_back(&spot);
  }
  if (!mine) {
    while (true) {
      impl_->platform.threads.park(spot, kNever);
      MutexLock lock(impl_->mutex);
      if (impl_->state == Impl::State::kEnded) return impl_->stuck;
    }
  }
  std::vector<StuckJob> jobs = impl_->end();
  std::vector<ParkSpot*> waiting;
  {
    MutexLock lock(impl_->mutex);
    impl_->stuck = jobs;
    impl_->state = Impl::State::kEnded;
    waiting.swap(impl_->waiting);
  }
  for (ParkSpot* other : waiting) impl_->platform.threads.unpark(*other);
  return jobs;
}

void Server::cut_drain() {
  impl_->cut.store(true, std::memory_order_seq_cst);
  if (impl_->crew != nullptr) impl_->crew->interrupt_wait();
}

void Server::abandon() {
  CHECK(!impl_->abandoned, "a server is abandoned once");
  impl_->abandoned = true;
  impl_->core.get()->add_reference();
  impl_->crew->detach();
}

int Server::run(const std::function<void()>& on_ready) {
  // Who calls this may end the process as soon as it returns.
  struct FlushAtEnd {
    const LogThread& thread;
    ~FlushAtEnd() { thread.flush(); }
  } const flush_at_end{impl_->log_thread};
  const Log log(impl_->options.log, impl_->options.log_level);
  impl_->platform.kernel.fill_standard_descriptors();
  RealSignals signals;
  if (!signals.ok()) {
    log.error("cannot make a pipe for signals: the descriptor limit is reached");
    return 1;
  }
  Result<Done> started = start();
  if (!started) {
    log.error(started.error().message);
    return started.error().code == Error::Code::kUsage ? 2 : 1;
  }
  if (on_ready) on_ready();
  int signal = 0;
  while ((signal = signals.wait()) == 1 /* SIGHUP */)
    log.info("SIGHUP ignored: there is no configuration to reload");
  log.info("draining");
  // The drain runs beside this thread, which goes on listening: a second signal cuts it.
  std::vector<StuckJob> stuck;
  std::atomic<bool> ended{false};
  int error = 0;
  auto drainer = impl_->platform.threads.start(
      "drain",
      [&] {
        stuck = drain();
        ended.store(true, std::memory_order_seq_cst);
        signals.notify();
      },
      error);
  if (drainer == nullptr) {
    stuck = drain();
  } else {
    while (!ended.load(std::memory_order_seq_cst)) {
      if (signals.wait() > 1) cut_drain();
    }
    drainer->join();
  }
  for (const StuckJob& job : stuck) {
    log.error("a handler of '" + job.service + "' for " +
              (job.peer.empty() ? "a client that left" : job.peer) + " on thread " + job.thread +
              " has not returned for " +
              std::to_string(
                  std::chrono::duration_cast<std::chrono::milliseconds>(job.running_for).count()) +
              " ms");
  }
  if (!stuck.empty()) {
    impl_->log_thread.flush();
    exit_now(1);
  }
  log.info(impl_->was_cut.load() ? "drain cut" : "drained");
  return impl_->was_cut.load() ? 1 : 0;
}

Stats Server::stats() const {
  if (impl_->core.get() == nullptr) return {};
  Stats stats =
      collect_stats(*impl_->core.get(), impl_->crew != nullptr ? impl_->crew->data_workers() : 0);
  if (impl_->crew != nullptr) stats.stall_reports = impl_->crew->stall_reports();
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

}  // namespace trireme
