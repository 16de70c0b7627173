// How a server ends: drain(), abandon(), the destructor, and run(), which does it at a signal.
#include <algorithm>
#include <csignal>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "reply/outbox.h"
#include "roster/mail_kinds.h"
#include "runtime/check.h"
#include "runtime/log_thread.h"
#include "runtime/thrown.h"
#include "server_impl.h"
#include "server_notify.h"

namespace trireme { inline namespace v0 {
namespace {

constexpr Duration kCutGrace = std::chrono::milliseconds(50);

std::string_view name_of(StuckJob::Code code) {
  switch (code) {
    case StuckJob::Code::kHandler:
      return "a handler";
    case StuckJob::Code::kCodec:
      return "the codec";
    case StuckJob::Code::kLayer:
      return "a transport layer";
  }
  return "?";
}

std::string describe(const StuckJob& job) {
  const auto time = std::chrono::duration_cast<std::chrono::milliseconds>(job.running_for);
  return std::string(name_of(job.code)) + " of '" + job.service + "' for " +
         (job.peer.empty() ? "a client that left" : job.peer) + " on thread " + job.thread +
         " has not returned for " + std::to_string(time.count()) + " ms";
}

}  // namespace

Server::~Server() {
  drain();
  impl_->join_drainers();
  const ServerLife::Rest rest = impl_->life.rest();
  if (rest == ServerLife::Rest::kLeak) {
    impl_->log_thread.end();             // what the sink uses may go with the caller
    static_cast<void>(impl_.release());  // leaked on purpose: its threads still use it
    return;
  }
  if (impl_->crew == nullptr) return;
  if (rest == ServerLife::Rest::kJoin) {
    for (const StuckJob& job : impl_->crew->running_jobs()) {
      impl_->context.get()->log.warning(describe(job) +
                                        "; the destructor of the server waits for it");
    }
    impl_->crew->wait_loops_stopped(kNever, nullptr);
    impl_->crew->join();
  }
  impl_->crew->join_lookouts(impl_->platform.clock.now() + kLookoutPatience);
}

void Server::Impl::stop_loops(TimePoint deadline) {
  for (uint32_t i = 0; i < context.get()->io_workers(); ++i) {
    context.get()->loop(i).post(std::make_unique<PlainMail>(kMailDrain));
  }
  if (crew->wait_loops_stopped(deadline, &cut)) return;
  was_cut.store(true);
  for (uint32_t i = 0; i < context.get()->io_workers(); ++i) {
    context.get()->loop(i).post(std::make_unique<PlainMail>(kMailCut));
  }
  crew->wait_loops_stopped(platform.clock.now() + kCutGrace, nullptr);
}

std::vector<StuckJob> Server::Impl::end() {
  const TimePoint deadline = time_after(platform.clock.now(), options.drain_time_max);
  listener->stop();
  stop_loops(deadline);
  std::vector<StuckJob> jobs;
  if (!crew->wait_loops_stopped(TimePoint::min(), nullptr)) jobs = crew->running_jobs();
  if (!crew->wait_loops_stopped(TimePoint::min(), nullptr)) return jobs;
  crew->join();
  life.note_joined();
  return {};
}

bool Server::is_draining() const { return impl_->life.is_ending(); }

std::vector<StuckJob> Server::drain() {
  CHECK(Outbox::current() == nullptr,
        "a handler must not drain its own server: it would wait for itself");
  if (impl_->life.begin_drain()) {
    std::vector<StuckJob> stuck = impl_->end();
    impl_->log_thread.flush();  // before anybody is told that it is over
    impl_->life.end(std::move(stuck));
  }
  return impl_->life.stuck();
}

void Server::drain(std::function<void(std::vector<StuckJob>)> when_done) {
  const Log log(impl_->options.log, impl_->options.log_level);
  const char* why = "there is no memory for that";
  try {
    std::function<void()> drains = [this, log, when_done = std::move(when_done)] {
      std::vector<StuckJob> stuck = drain();
      try {
        if (when_done) when_done(std::move(stuck));
      } catch (...) {
        log.error("what waited for the end of a drain has thrown " + describe_thrown());
      }
    };
    if (impl_->start_drainer(std::move(drains))) return;  // the server may be gone by now
    why = "the system refuses a thread";
  } catch (const std::bad_alloc&) {
  }
  log.error(std::string("cannot drain beside the caller, ") + why + ": call drain()");
}

// False: the system refuses a thread.
bool Server::Impl::start_drainer(std::function<void()> drains) {
  {
    MutexLock lock(mutex);
    drainers.reserve(drainers.size() + drainers_starting + 1);
    ++drainers_starting;
  }
  int error = 0;
  std::unique_ptr<Thread> thread = platform.threads.start("drain", std::move(drains), error);
  const bool started = thread != nullptr;
  Threads& threads = platform.threads;
  ParkSpot* destructor = nullptr;
  {
    MutexLock lock(mutex);
    if (started) drainers.push_back(std::move(thread));
    if (--drainers_starting == 0) destructor = std::exchange(waits_for_drainers, nullptr);
  }
  if (destructor != nullptr) threads.unpark(*destructor);
  return started;
}

void Server::request_stop() {
  if (impl_->life.is_new()) {
    drain();  // at once: a run() that comes next must find it done
  } else {
    drain(nullptr);
  }
}

void Server::Impl::join_drainers() {
  std::vector<std::unique_ptr<Thread>> threads;
  ParkSpot spot;
  while (true) {
    {
      MutexLock lock(mutex);
      if (drainers_starting == 0) {
        threads.swap(drainers);
        break;
      }
      waits_for_drainers = &spot;
    }
    platform.threads.park(spot, kNever);
  }
  for (const auto& thread : threads) thread->join();
}

void Server::stop_listening(ListenerId listener) {
  CHECK(impl_->is_there.load(std::memory_order_acquire), "stop_listening() comes after start()");
  CHECK(listener.index < impl_->listenings.size(), "this server has no such listener");
  impl_->listener->remove_files(listener.index);
  ServerContext& context = *impl_->context.get();
  if (impl_->listenings[listener.index]->options.accepting == Accepting::kListener) {
    return context.listener_loop().post(std::make_unique<UnlistenMail>(listener.index));
  }
  for (uint32_t i = 0; i < context.io_workers(); ++i) {
    context.loop(i).post(std::make_unique<UnlistenMail>(listener.index));
  }
}

void Server::cut_drain() {
  if (!impl_->is_there.load(std::memory_order_acquire)) return;
  impl_->cut.store(true, std::memory_order_seq_cst);
  impl_->crew->interrupt_wait();
}

void Server::abandon() {
  if (!impl_->life.has_ended() || impl_->crew == nullptr || !impl_->life.abandon()) return;
  impl_->context.get()->add_reference();
  impl_->crew->detach();
}

// run() at work. The end of a drain tells it, whoever has called that.
class Server::Impl::Run {
 public:
  Run(Server& server, Impl& impl, RealSignals& signals, const Log& log)
      : server_(server),
        impl_(impl),
        signals_(signals),
        log_(log),
        notifier_(impl.platform.kernel),
        heartbeat_(notifier_, log) {
    impl_.life.tell_end_to(&signals);
  }
  ~Run() {
    if (drainer_ != nullptr) drainer_->join();  // on_ready has thrown
    impl_.life.tell_end_to(nullptr);
  }

  // The server listens: says so to the service manager, if there is one.
  void say_ready();
  // It does not.
  void say_failed(const std::string& why) { notifier_.tell("STATUS=" + why); }

  // Heeds signals meanwhile, on another thread: what it prints may go where nobody reads.
  void call(const std::function<void()>& on_ready);
  // Returns when the server has ended.
  void wait_ended() {
    while (!impl_.life.has_ended()) wait(kNever);
    if (drainer_ != nullptr) drainer_->join();
    drainer_.reset();
  }
  // How that was: the exit status. Does not return if something is stuck.
  int conclude();

 private:
  // For a signal, until something has changed, or `until`.
  void wait(TimePoint until);
  void heed(const RealSignals::Signal& signal);
  void stand_in(const std::atomic<bool>& returned);
  [[noreturn]] void end_process() {
    impl_.log_thread.flush();
    exit_now(1);
  }

  Server& server_;
  Impl& impl_;
  RealSignals& signals_;
  const Log& log_;
  std::optional<RealSignals::Signal> first_;
  TimePoint patience_ = kNever;  // then on_ready must have returned
  std::unique_ptr<Thread> drainer_;
  Notifier notifier_;
  Heartbeat heartbeat_;
  bool has_said_stopping_ = false;
};

void Server::Impl::Run::say_ready() {
  const std::vector<std::string>& urls = impl_.listener->endpoints().urls();
  notifier_.tell("READY=1\nSTATUS=listening on " + urls.front() +
                 (urls.size() > 1 ? " and others" : ""));
  ServerContext& shared = *impl_.context.get();
  std::vector<EventLoop*> loops;
  for (uint32_t i = 0; i < shared.io_workers(); ++i) loops.push_back(&shared.loop(i));
  if (impl_.accepts_by(Accepting::kListener)) loops.push_back(&shared.listener_loop());
  heartbeat_.begin(std::move(loops), impl_.platform.clock.now());
}

void Server::Impl::Run::wait(TimePoint until) {
  heed(signals_.wait(std::min(until, heartbeat_.next())));
  const bool is_ending = impl_.life.is_ending();
  if (is_ending && !std::exchange(has_said_stopping_, true))
    notifier_.tell("STOPPING=1\nSTATUS=draining");
  heartbeat_.look(impl_.platform.clock.now(), is_ending);
}

// The drain runs on a thread of its own, and whoever listens goes on: a second signal cuts it.
void Server::Impl::Run::heed(const RealSignals::Signal& signal) {
  if (signal.number == 0) return;
  if (signal.number == SIGHUP && impl_.options.on_hang_up) {
    try {
      return impl_.options.on_hang_up();
    } catch (...) {
      return log_.error("what SIGHUP calls has thrown " + describe_thrown());
    }
  }
  if (signal.number == SIGHUP) {
    return log_.info("SIGHUP ignored: there is no configuration to reload");
  }
  if (first_) {
    if (signal.repeats(*first_)) return;
    patience_ = TimePoint();
    return server_.cut_drain();
  }
  first_ = signal;
  patience_ = time_after(impl_.platform.clock.now(), impl_.options.drain_time_max);
  log_.info("draining");
  int error = 0;
  drainer_ = impl_.platform.threads.start(
      "drain", [this] { server_.drain(); }, error);
  if (drainer_ == nullptr) server_.drain();
}

void Server::Impl::Run::call(const std::function<void()>& on_ready) {
  std::atomic<bool> returned{false};
  int error = 0;
  const std::unique_ptr<Thread> beside = impl_.platform.threads.start(
      "signals", [&] { stand_in(returned); }, error);
  struct Return {  // also when it throws
    ~Return() {
      returned.store(true);
      signals.notify();
      if (beside != nullptr) beside->join();
    }
    std::atomic<bool>& returned;
    RealSignals& signals;
    Thread* const beside;
  } at_return{returned, signals_, beside.get()};
  on_ready();
}

void Server::Impl::Run::stand_in(const std::atomic<bool>& returned) {
  while (!returned.load()) {
    const bool ended = impl_.life.has_ended();
    if (ended && patience_ == kNever) {  // another thread has drained
      patience_ = time_after(impl_.platform.clock.now(), impl_.options.drain_time_max);
    }
    if (ended && impl_.platform.clock.now() >= patience_) {
      log_.error("on_ready has not returned");
      conclude();
      end_process();
    }
    wait(ended ? patience_ : kNever);
  }
}

int Server::Impl::Run::conclude() {
  const std::vector<StuckJob> jobs = server_.drain();  // as it has ended
  for (const StuckJob& job : jobs) log_.error(describe(job));
  if (!jobs.empty()) end_process();
  log_.info(impl_.was_cut.load() ? "drain cut" : "drained");
  return impl_.was_cut.load() ? 1 : 0;
}

int Server::run(const std::function<void()>& on_ready) {
  // Who calls this may end the process as soon as it returns.
  struct FlushAtEnd {
    const LogThread& thread;
    ~FlushAtEnd() { thread.flush(); }
  } const flush_at_end{impl_->log_thread};
  const Log log(impl_->options.log, impl_->options.log_level);
  impl_->platform.kernel.fill_standard_descriptors();
  RealSignals signals;  // before all that takes time: what comes meanwhile is not lost
  if (signals.problem() != nullptr) {
    log.error(signals.problem());
    return 1;
  }
  Impl::Run run(*this, *impl_, signals, log);
  Result<Done> started = start();
  if (!started && !impl_->life.was_drained_first()) {
    log.error(started.error().message);
    run.say_failed(started.error().message);
    return started.error().code == Error::Code::kUsage ? 2 : 1;
  }
  if (started) run.say_ready();
  if (started && on_ready) run.call(on_ready);
  run.wait_ended();
  const int status = run.conclude();
  signals.end_quietly();
  return status;
}

}}  // namespace trireme
