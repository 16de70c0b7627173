// How a server ends: drain(), abandon(), the destructor, and run(), which does it at a signal.
#include <csignal>
#include <optional>

#include "reply/outbox.h"
#include "runtime/check.h"
#include "runtime/log_thread.h"
#include "server_impl.h"

namespace trireme::inline v0 {
namespace {

constexpr Duration kCutGrace = std::chrono::milliseconds(50);
// What the destructor waits for a lookout: it ends in no time, unless its CPU is busy.
constexpr Duration kLookoutPatience = std::chrono::milliseconds(100);

std::string describe(const StuckJob& job) {
  const auto time = std::chrono::duration_cast<std::chrono::milliseconds>(job.running_for);
  return std::string(job.in_codec ? "the codec" : "a handler") + " of '" + job.service + "' for " +
         (job.peer.empty() ? "a client that left" : job.peer) + " on thread " + job.thread +
         " has not returned for " + std::to_string(time.count()) + " ms";
}

}  // namespace

Server::~Server() {
  drain();
  bool abandoned = false, joined = false;
  {
    MutexLock lock(impl_->mutex);
    abandoned = impl_->abandoned;
    joined = impl_->joined;
  }
  if (abandoned) {
    static_cast<void>(impl_.release());  // leaked on purpose: its threads still use it
    return;
  }
  if (impl_->crew == nullptr) return;
  if (!joined) {
    for (const StuckJob& job : impl_->crew->running_jobs()) {
      impl_->core.get()->log.warning(describe(job) + "; the destructor of the server waits for it");
    }
    impl_->crew->wait_loops_stopped(kNever, nullptr);
    impl_->crew->join();
  }
  impl_->crew->join_lookouts(impl_->platform.clock.now() + kLookoutPatience);
}

void Server::Impl::enter(State next, std::vector<StuckJob> jobs) {
  std::vector<ParkSpot*> woken;
  {
    MutexLock lock(mutex);
    state = next;
    stuck = std::move(jobs);
    woken.swap(waiting);
    if (next == State::kEnded && run_signals != nullptr) run_signals->notify();
  }
  for (ParkSpot* spot : woken) platform.threads.unpark(*spot);
}

bool Server::Impl::begin_drain() {
  ParkSpot spot;
  while (true) {
    {
      MutexLock lock(mutex);
      if (state == State::kNew) {
        state = State::kEnded;
        drained_first = true;
      }
      if (state == State::kEnded) return false;
      if (state == State::kRunning) {
        state = State::kEnding;
        return true;
      }
      std::erase(waiting, &spot);
      waiting.push_back(&spot);
    }
    platform.threads.park(spot, kNever);
  }
}

bool Server::Impl::has_ended() {
  MutexLock lock(mutex);
  return state == State::kEnded;
}

bool Server::Impl::was_drained_first() {
  MutexLock lock(mutex);
  return drained_first;
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
  if (!crew->wait_loops_stopped(TimePoint::min(), nullptr)) jobs = crew->running_jobs();
  if (!crew->wait_loops_stopped(TimePoint::min(), nullptr)) return jobs;
  crew->join();
  MutexLock lock(mutex);
  joined = true;
  return {};
}

std::vector<StuckJob> Server::drain() {
  CHECK(Outbox::current() == nullptr,
        "a handler must not drain its own server: it would wait for itself");
  if (impl_->begin_drain()) {
    std::vector<StuckJob> stuck = impl_->end();
    impl_->log_thread.flush();  // before anybody is told that it is over
    impl_->enter(Impl::State::kEnded, std::move(stuck));
  }
  MutexLock lock(impl_->mutex);
  return impl_->stuck;
}

void Server::cut_drain() {
  if (!impl_->is_there.load(std::memory_order_acquire)) return;
  impl_->cut.store(true, std::memory_order_seq_cst);
  impl_->crew->interrupt_wait();
}

void Server::abandon() {
  {
    MutexLock lock(impl_->mutex);
    const bool ended = impl_->state == Impl::State::kEnded && impl_->crew != nullptr;
    if (!ended || impl_->joined || impl_->abandoned) return;
    impl_->abandoned = true;
  }
  impl_->core.get()->add_reference();
  impl_->crew->detach();
}

// While run() waits for signals, the drain tells it when it is over, whoever has called that.
class Server::Impl::Told {
 public:
  Told(Impl& impl, RealSignals& signals) : impl_(impl) { set(&signals); }
  ~Told() { set(nullptr); }

 private:
  void set(RealSignals* signals) {
    MutexLock lock(impl_.mutex);
    impl_.run_signals = signals;
  }
  Impl& impl_;
};

// Returns when the server has ended. The drain runs beside this thread, which goes on listening: a
// second signal cuts it.
void Server::Impl::wait_ended(Server& server, RealSignals& signals, const Log& log) {
  std::optional<RealSignals::Signal> first;
  std::unique_ptr<Thread> drainer;
  while (!has_ended()) {
    const RealSignals::Signal signal = signals.wait();
    if (signal.number == SIGHUP) {
      log.info("SIGHUP ignored: there is no configuration to reload");
    } else if (signal.number != 0 && first) {
      if (!signal.repeats(*first)) server.cut_drain();
    } else if (signal.number != 0) {
      first = signal;
      log.info("draining");
      int error = 0;
      drainer = platform.threads.start(
          "drain", [&server] { server.drain(); }, error);
      if (drainer == nullptr) server.drain();
    }
  }
  if (drainer != nullptr) drainer->join();
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
  const Impl::Told told(*impl_, signals);
  Result<Done> started = start();
  if (!started && !impl_->was_drained_first()) {
    log.error(started.error().message);
    return started.error().code == Error::Code::kUsage ? 2 : 1;
  }
  if (started && on_ready) on_ready();
  impl_->wait_ended(*this, signals, log);
  const std::vector<StuckJob> stuck = drain();  // as it has ended
  for (const StuckJob& job : stuck) log.error(describe(job));
  if (!stuck.empty()) {
    impl_->log_thread.flush();
    exit_now(1);
  }
  log.info(impl_->was_cut.load() ? "drain cut" : "drained");
  signals.end_quietly();
  return impl_->was_cut.load() ? 1 : 0;
}

}  // namespace trireme
