#include "load/runner.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "load/clocks.h"

namespace load {
namespace {

constexpr int64_t kStretchNs = 100'000'000;  // between two looks at interrupts
constexpr int kStretchesASecond = 10;
constexpr auto kTick = std::chrono::milliseconds(200);

bool interrupted(const RunOptions& options) {
  return options.load.interrupts != nullptr && options.load.interrupts->load() > 0;
}

// Where the parts are, and what the caller lets them do.
class Stages {
 public:
  enum Stage { kConnected, kMeasured, kDone };

  explicit Stages(uint32_t parts) : parts_(parts) {}

  // Of a part.
  void arrive(Stage stage) {
    const std::lock_guard lock(mutex_);
    ++arrived_[stage];
    changed_.notify_all();
  }
  // Of a part: waits until the caller has decided. The start of the schedule; 0: it is over.
  int64_t wait_start() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return start_ns_ >= 0; });
    return start_ns_;
  }

  // Of the caller.
  void start(int64_t start_ns) {
    const std::lock_guard lock(mutex_);
    start_ns_ = start_ns;
    changed_.notify_all();
  }
  // Of a part that has no connection left. The run goes on as long as another one has.
  void lose_part() { lost_parts_.fetch_add(1, std::memory_order_relaxed); }
  bool anyone_alive() const { return lost_parts_.load(std::memory_order_relaxed) < parts_; }
  bool wait_arrived(Stage stage, std::chrono::nanoseconds patience) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, patience, [&] { return arrived_[stage] == parts_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  uint32_t arrived_[3] = {};
  int64_t start_ns_ = -1;
  const uint32_t parts_;
  std::atomic<uint32_t> lost_parts_{0};
};

// One thread with its part of the load. What it has measured may be read when it has arrived at the
// stage kDone, or has been joined.
class Part {
 public:
  Part(const Endpoint& server, const RunOptions& options, uint32_t number, Stages& stages)
      : options_(options),
        load_(server, part_of(options.load, number, options.threads)),
        stages_(stages) {}

  void run() {
    connected_ = load_.connect_all();
    stages_.arrive(Stages::kConnected);
    const int64_t start = stages_.wait_start();
    if (start > 0) measure(start);
    stages_.arrive(Stages::kDone);
  }

  uint32_t connected_count() const { return load_.connected_count(); }
  uint64_t answered() const { return answered_.load(std::memory_order_relaxed); }

  bool connected() const { return connected_; }  // when it has arrived at kConnected
  void add_to(Measured& all) {
    all.seconds = std::max(all.seconds, seconds_);
    all.requests += requests_;
    all.sent_bytes += sent_bytes_;
    all.received_bytes += received_bytes_;
    all.load_cpu_ns += cpu_ns_;
    if (all.per_second.size() < per_second_.size()) all.per_second.resize(per_second_.size());
    for (size_t i = 0; i < per_second_.size(); ++i) {
      all.per_second[i].requests += per_second_[i].requests;
      all.per_second[i].bytes += per_second_[i].bytes;
    }
    all.tally.merge(load_.tally());
  }

 private:
  static LoadOptions part_of(LoadOptions options, uint32_t number, uint32_t parts) {
    options.part = number;
    options.parts = parts;
    return options;
  }

  void measure(int64_t start) {
    load_.begin_schedule(start);
    const int64_t begin = start + options_.warm_up.count();
    if (begin > start) {
      run_until(start, begin, nullptr);
      load_.restart();
      answered_ = 0;
    } else {
      blocking_sleep_ns(std::max<int64_t>(start - now_ns(), 0));
    }

    const int64_t cpu_before = own_cpu_ns();
    run_until(begin, begin + options_.duration.count(), &per_second_);
    seconds_ = seconds_of(std::max<int64_t>(now_ns() - begin, 0));
    cpu_ns_ = own_cpu_ns() - cpu_before;
    requests_ = load_.tally().requests;
    sent_bytes_ = load_.tally().sent_bytes;
    received_bytes_ = load_.tally().received_bytes;
    stages_.arrive(Stages::kMeasured);
    load_.count_unsent();
    load_.drain(options_.grace.count());
    load_.finish_streams(options_.grace.count());
  }

  // A part that is dead goes on with its schedule: its requests are due like those of the others.
  bool goes_on() {
    if (!load_.alive() && !std::exchange(is_lost_, true)) stages_.lose_part();
    return stages_.anyone_alive() && !interrupted(options_);
  }

  void run_until(int64_t begin, int64_t end, std::vector<Second>* seconds) {
    for (int64_t stretch = 0; goes_on(); ++stretch) {
      const int64_t stretch_end = std::min(end, begin + (stretch + 1) * kStretchNs);
      const uint64_t requests = load_.tally().requests;
      const uint64_t bytes = load_.tally().sent_bytes + load_.tally().received_bytes;
      load_.run_until(stretch_end);
      answered_.store(load_.tally().requests, std::memory_order_relaxed);  // for progress only
      if (seconds != nullptr) {
        seconds->resize(static_cast<size_t>(stretch / kStretchesASecond) + 1);
        seconds->back().requests += load_.tally().requests - requests;
        seconds->back().bytes += load_.tally().sent_bytes + load_.tally().received_bytes - bytes;
      }
      if (stretch_end == end) return;
    }
  }

  const RunOptions& options_;
  Load load_;
  Stages& stages_;
  bool connected_ = false;
  bool is_lost_ = false;
  std::atomic<uint64_t> answered_{0};
  double seconds_ = 0;
  uint64_t requests_ = 0;
  uint64_t sent_bytes_ = 0;
  uint64_t received_bytes_ = 0;
  int64_t cpu_ns_ = 0;
  std::vector<Second> per_second_;
};

// The caller's side of a run.
class Runner {
 public:
  Runner(const Endpoint& server, const RunOptions& options, const Watch& watch)
      : options_(options), watch_(watch), stages_(options.threads) {
    for (uint32_t i = 0; i < options.threads; ++i) {
      parts_.emplace_back(server, options, i, stages_);
    }
  }

  Measured run() {
    ServerFigures figures;
    if (options_.pid > 0) figures.resident_bytes_before = read_resident_bytes(options_.pid);
    const bool started = start_threads();
    if (started) wait_for(Stages::kConnected, Progress::Phase::kConnecting);
    measured_.connected = started && std::all_of(parts_.begin(), parts_.end(),
                                                 [](const Part& part) { return part.connected(); });
    if (measured_.connected) {
      measure(figures);
    } else {
      stages_.start(0);
    }
    for (std::thread& thread : threads_) thread.join();
    for (Part& part : parts_) part.add_to(measured_);
    set_lengths();
    measured_.interrupted =
        measured_.interrupted || (!measured_.connected && interrupted(options_));
    return std::move(measured_);
  }

 private:
  // False: the system has too few threads for us, and nothing can be measured.
  bool start_threads() {
    for (uint32_t i = 0; i < options_.threads; ++i) {
      try {
        threads_.emplace_back(&Part::run, &parts_[i]);
      } catch (const std::system_error& error) {
        measured_.tally.note("cannot start thread " + std::to_string(i + 1) + " of " +
                             std::to_string(options_.threads) + ": " + error.code().message());
        return false;
      }
      const std::string name = "bench-" + std::to_string(i);
      pthread_setname_np(threads_.back().native_handle(), name.c_str());
    }
    return true;
  }

  void measure(ServerFigures& figures) {
    const pid_t pid = options_.pid;
    if (pid > 0) {
      wait_settled_cpu_ns(pid);  // the server may still be accepting
      figures.resident_bytes_connected = read_resident_bytes(pid);
    }
    const int64_t start = now_ns() + 1'000'000;
    const int64_t begin = start + options_.warm_up.count();
    stages_.start(start);
    wait_for(Stages::kMeasured, Progress::Phase::kWarmingUp, begin);
    int64_t cpu_before = 0;
    std::optional<SwitchCounter> switches;
    if (pid > 0) {
      switches.emplace(pid);
      cpu_before = read_cpu_ns(pid);
    }
    wait_for(Stages::kMeasured, Progress::Phase::kMeasuring, INT64_MAX,
             switches ? &*switches : nullptr);
    measured_.interrupted = now_ns() < begin + options_.duration.count() && interrupted(options_);
    const int64_t cpu_after = pid > 0 ? read_cpu_ns(pid) : 0;
    if (cpu_after > 0) {  // else it has ended meanwhile
      figures.cpu_ns = cpu_after - cpu_before;
      figures.context_switches = switches->count();
      figures.threads = read_usage(pid).threads;
      figures.resident_bytes_after = read_resident_bytes(pid);
      measured_.server = figures;
    }
    wait_for(Stages::kDone, Progress::Phase::kDraining);
  }

  // Until all parts have arrived, or until then.
  void wait_for(Stages::Stage stage, Progress::Phase phase, int64_t until_ns = INT64_MAX,
                SwitchCounter* switches = nullptr) {
    const int64_t begin = now_ns();
    int64_t last_ns = begin;
    uint64_t last = answered();
    for (int64_t now = begin; now < until_ns; now = now_ns()) {
      const auto patience =
          std::min<std::chrono::nanoseconds>(kTick, std::chrono::nanoseconds(until_ns - now));
      if (stages_.wait_arrived(stage, patience)) return;
      if (switches != nullptr) switches->look();
      const int64_t seen_ns = now_ns();
      const uint64_t count = answered();
      uint32_t connected = 0;
      for (const Part& part : parts_) connected += part.connected_count();
      watch_({.phase = phase,
              .seconds = seconds_of(seen_ns - begin),
              .connected = connected,
              .requests = count > last ? count - last : 0,
              .report_seconds = seconds_of(seen_ns - last_ns)});
      last = count;
      last_ns = seen_ns;
    }
  }

  uint64_t answered() const {
    uint64_t count = 0;
    for (const Part& part : parts_) count += part.answered();
    return count;
  }

  void set_lengths() {
    double left = measured_.seconds;
    for (Second& second : measured_.per_second) {
      second.seconds = std::min(1.0, std::max(left, 0.0));
      left -= 1;
    }
    // A last one of nothing, or of less than can be measured, belongs to the one before.
    while (measured_.per_second.size() > 1 && measured_.per_second.back().seconds < 0.01) {
      const Second rest = measured_.per_second.back();
      measured_.per_second.pop_back();
      measured_.per_second.back().requests += rest.requests;
      measured_.per_second.back().bytes += rest.bytes;
    }
  }

  const RunOptions& options_;
  const Watch& watch_;
  Stages stages_;
  std::deque<Part> parts_;  // they stay where they are
  std::vector<std::thread> threads_;
  Measured measured_;
};

}  // namespace

Measured run_load(const Endpoint& server, const RunOptions& options, const Watch& watch) {
  return Runner(server, options, watch).run();
}

}  // namespace load
