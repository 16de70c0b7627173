// What a Server is made of: shared by server.cc, which builds and starts it, and server_run.cc,
// which ends it.
//
// Step: none, above all. Thread: as the members say.
#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "accept/listener.h"
#include "connection/io_worker.h"
#include "handling/crew.h"
#include "roster/server_context.h"
#include "runtime/log_thread.h"
#include "runtime/threads/mutex.h"
#include "server_life.h"
#include "trireme/server.h"

namespace trireme { inline namespace v0 {

// What is waited for a lookout: it ends in no time, unless its CPU is busy.
constexpr Duration kLookoutPatience = std::chrono::milliseconds(100);

struct Server::Impl {
  Impl(ServerOptions given, const Platform& where)
      : options(std::move(given)),
        platform(where),
        log_thread(platform, options.log),
        life(platform.threads) {
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
  [[nodiscard]] bool start_drainer(std::function<void()> drains);
  // In the destructor, after the drain.
  void join_drainers();
  class Run;

  ServerOptions options;
  const Platform platform;
  const LogThread log_thread;
  std::vector<std::unique_ptr<Listening>> listenings;
  ContextRef context;
  std::vector<std::unique_ptr<IoWorker>> io_workers;
  std::vector<std::shared_ptr<const KindTable>> kinds;  // of each, for statistics
  std::shared_ptr<Crew> crew;
  std::unique_ptr<Listener> listener;
  // All above is there, and stays: start() has succeeded. Written with release, read with acquire
  // by whoever is not ordered behind start() otherwise.
  std::atomic<bool> is_there{false};
  std::atomic<bool> cut{false};  // cut_drain() was called; seq_cst with Crew::wait_loops_stopped
  std::atomic<bool> was_cut{false};  // the drain did not end in good order

  ServerLife life;

  Mutex mutex;
  // Threads of drains that nobody waits for. Joined by the destructor.
  std::vector<std::unique_ptr<Thread>> drainers GUARDED_BY(mutex);
  size_t drainers_starting GUARDED_BY(mutex) = 0;
  ParkSpot* waits_for_drainers GUARDED_BY(mutex) = nullptr;  // the destructor
};

}}  // namespace trireme
