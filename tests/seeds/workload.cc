#include "workload.h"

#include <optional>

#include "stage.h"

namespace seeds {
namespace {

using namespace std::chrono_literals;

constexpr uint64_t kStepsMax = 20'000'000;
constexpr Duration kTimeMax = 30min;
constexpr Duration kDrainSlack = 100ms;  // for the cut, and for threads that are preempted

class Play {
 public:
  Play(sim::Machine& world, const Plan& plan, Random draws)
      : world_(world), plan_(plan), stage_(world, plan, draws) {}

  void run();
  Outcome judge();

 private:
  bool start();
  void wait_for_drain();
  void drain();
  void wait_stopped();
  void check_stats();
  void judge_client(size_t index, Outcome& outcome);
  size_t arrived_bytes(size_t index) const;
  std::string closings() const;
  uint64_t closed(tr::CloseReason reason) const {
    return stats_.closed_by_reason[static_cast<size_t>(reason)];
  }

  sim::Machine& world_;
  const Plan& plan_;
  Stage stage_;
  std::optional<tr::Server> server_;
  tr::Stats stats_;
  TimePoint drain_began_;
  uint64_t excuses_ = 0;  // connections that ended before their time, for a reason that is counted
};

bool Play::start() {
  server_.emplace(plan_.options, world_.platform());
  add_services(stage_, *server_);
  const tr::Result<tr::Done> started = server_->start();
  if (!started) {
    stage_.complain("start: " + started.error().message);
    return false;
  }
  for (const std::string& url : server_->urls()) {
    stage_.ports.push_back(static_cast<uint16_t>(std::stoi(url.substr(url.rfind(':') + 1))));
  }
  return true;
}

void Play::run() {
  if (!start()) return;
  for (size_t i = 0; i < plan_.clients.size(); ++i) {
    world_.spawn("client", [this, i] { run_client(stage_, i); });
  }
  wait_for_drain();
  drain();
  stats_ = server_->stats();
  check_stats();
  server_.reset();
  stage_.server_is_gone = true;
}

void Play::wait_for_drain() {
  if (!plan_.waits_for_clients) return world_.sleep_for(plan_.drains_after);
  const TimePoint until = world_.now() + 3s;
  while (world_.now() < until) {
    bool waits = false;
    for (size_t i = 0; i < plan_.clients.size(); ++i) {
      const Manner manner = plan_.clients[i].manner;
      const bool ends = manner != Manner::kStays && manner != Manner::kNeverReads;
      const bool whole = stage_.heard[i].transcript->complete();
      waits = waits || (!stage_.heard[i].done && (ends || !whole));
    }
    if (!waits) return;
    world_.sleep_for(2ms);
  }
}

void Play::drain() {
  if (plan_.calms) world_.calm();
  drain_began_ = world_.now();
  std::optional<sim::Machine::Task> second;
  if (plan_.drains_twice) second = world_.spawn("drain too", [this] { server_->drain(); });
  if (plan_.cuts_after > Duration(0)) {
    world_.spawn("cut", [this] {
      world_.sleep_for(plan_.cuts_after);
      if (server_.has_value()) server_->cut_drain();
    });
  }
  const auto stuck = server_->drain();
  if (second) second->join();
  const Duration took = world_.now() - drain_began_;
  if (took > plan_.options.drain_time_max + kDrainSlack) {
    stage_.complain("the drain took " + std::to_string(took / 1us) + " us");
  }
  for (const tr::StuckJob& job : stuck) {
    if (job.service.empty() || job.thread.empty()) stage_.complain("a stuck job without a name");
  }
  if (!stuck.empty()) wait_stopped();
}

// A handler that sleeps over the deadline of the drain returns soon.
void Play::wait_stopped() {
  const TimePoint until = world_.now() + 30s;
  while (world_.now() < until && !tr::books_balance(server_->stats(), nullptr)) {
    world_.sleep_for(5ms);
  }
}

void Play::check_stats() {
  const char* why = nullptr;
  if (!tr::books_balance(stats_, &why)) {
    stage_.complain(std::string("books: ") + why + ", " + std::to_string(stats_.buffer_bytes_now) +
                    " bytes in buffers");
  }
  const size_t budget = plan_.options.buffer_bytes_max;  // 0: the standard one
  const uint64_t bytes_max = (budget > 0 ? budget : size_t{256} << 20) + plan_.fixed_bytes_max;
  if (stats_.buffer_bytes_peak > bytes_max) {
    stage_.complain("held " + std::to_string(stats_.buffer_bytes_peak) + " bytes");
  }
  uint64_t leavers = 0;
  for (const Heard& heard : stage_.heard) leavers += heard.left || !heard.done ? 1 : 0;
  if (closed(tr::CloseReason::kReset) > leavers) stage_.complain("a client that stayed was reset");
  if (plan_.is_patient() && closed(tr::CloseReason::kDrainCut) > 0) {
    stage_.complain("a drain was cut that had time");
  }
  for (const tr::CloseReason reason :
       {tr::CloseReason::kIdleTimeout, tr::CloseReason::kRequestTimeout,
        tr::CloseReason::kWriteTimeout, tr::CloseReason::kSlowConsumer,
        tr::CloseReason::kOutOfMemory, tr::CloseReason::kRefused, tr::CloseReason::kSystemError,
        tr::CloseReason::kDrainCut}) {
    excuses_ += closed(reason);
  }
}

// Of the first request bytes of a client: how many had surely arrived when the drain began.
size_t Play::arrived_bytes(size_t index) const {
  const Heard& heard = stage_.heard[index];
  const bool is_accepted =
      stage_.notes[index].seen ||
      (world_.faults().accept_exhausted == 0 && plan_.options.connections_max == 0 &&
       plan_.options.buffer_bytes_max == tr::ServerOptions().buffer_bytes_max);
  size_t bytes = 0;
  for (const auto& [when, sent] : heard.sent) {
    if (is_accepted && when + world_.faults().delay_max < drain_began_) bytes = sent;
  }
  return std::min(bytes, heard.script.request_bytes);
}

void Play::judge_client(size_t index, Outcome& outcome) {
  const Heard& heard = stage_.heard[index];
  const Transcript& transcript = *heard.transcript;
  const std::string name = "client " + std::to_string(index);
  if (!heard.done) return stage_.complain(name + " never ended");
  if (!transcript.complaint().empty()) stage_.complain(name + " " + transcript.complaint());
  if (!heard.connected || heard.left) return;
  if (transcript.complete()) {
    ++outcome.whole_clients;
    return;
  }
  ++outcome.cut_short;
  if (stage_.notes[index].cut) {
    // A client that still sends may be reset while it lingers, and lose replies; one that gets the
    // end of the stream has them.
    const ServicePlan& service = plan_.services[plan_.clients[index].service];
    const bool must_be_told = service.lines && !service.has_deadline() && excuses_ == 0;
    if (must_be_told && heard.has_end && !transcript.past_close()) {
      stage_.complain(name + " was closed without the reply that closes");
    }
    return;
  }
  if (transcript.answered(arrived_bytes(index)) && world_.now() >= drain_began_ &&
      (!plan_.waits_for_clients || arrived_bytes(index) < heard.script.request_bytes)) {
    return;
  }
  // A client that sends on is reset when the patience of the server is over, which may destroy
  // replies on their way.
  const tr::ServerOptions& options = plan_.options;
  const bool lingers_briefly = options.linger_bytes_max < tr::ServerOptions().linger_bytes_max ||
                               options.linger_time_max < tr::ServerOptions().linger_time_max;
  if (heard.error != 0 && lingers_briefly) return;
  if (excuses_ == 0) {
    return stage_.complain(name + " had all replies to " +
                           std::to_string(transcript.answered_bytes()) +
                           " bytes of requests, not to " + std::to_string(arrived_bytes(index)) +
                           "; error " + std::to_string(heard.error));
  }
  --excuses_;
}

std::string Play::closings() const {
  std::string text;
  for (size_t i = 0; i < stats_.closed_by_reason.size(); ++i) {
    const uint64_t count = stats_.closed_by_reason[i];
    if (count == 0) continue;
    text += " " + std::string(tr::to_string(static_cast<tr::CloseReason>(i))) + " " +
            std::to_string(count);
  }
  return text;
}

Outcome Play::judge() {
  Outcome outcome;
  for (Note& note : stage_.notes) note.peer = {};  // the last ones: with them the core goes
  for (size_t i = 0; i < plan_.clients.size(); ++i) judge_client(i, outcome);
  if (stage_.sessions != 0) stage_.complain("sessions live on");
  if (world_.kernel().open_count() != 0) stage_.complain("descriptors are open");
  if (world_.threads().living_count() != 0) stage_.complain("threads live on");
  outcome.complaint = stage_.complaints;
  outcome.plan = plan_.describe() + "; closed:" + closings();
  outcome.requests = stats_.requests;
  outcome.hand_overs = stats_.hand_overs;
  outcome.hand_overs_told = stats_.hand_overs_told;
  outcome.drain_cuts = closed(tr::CloseReason::kDrainCut);
  return outcome;
}

}  // namespace

Outcome run_seed(uint64_t seed, std::FILE* log) {
  Random random(seed * 2 + 1);  // other draws than those of the world
  const Plan plan = draw_plan(random);
  sim::MachineOptions options;
  options.steps_max = kStepsMax;
  options.time_max = kTimeMax;
  options.has_idle_policy = seed % 5 != 0;  // in every shard
  options.log = log;
  sim::Machine world(seed, options);
  Play play(world, plan, Random(random.next()));
  world.run([&] { play.run(); });
  Outcome outcome = play.judge();
  outcome.hash = world.trace_hash();
  outcome.steps = world.steps();
  return outcome;
}

}  // namespace seeds
