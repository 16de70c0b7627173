#include "slices.h"

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "family.h"
#include "load/clocks.h"
#include "load/endpoint.h"

namespace bench {

Side::Side(char name, const std::string& command, int server_cpu, std::string url, pid_t pid)
    : name_(name), command_(command), url_(std::move(url)), pid_(pid) {
  if (command.empty()) return;
  auto started = ServerProcess::start(command, server_cpu);
  if (!started) std::exit(1);
  process_.emplace(std::move(*started));
  url_ = process_->url();
  pid_ = process_->pid();
}

bool Side::connect(const load::LoadOptions& options) {
  options_ = options;
  if (load::read_cpu_ns(pid_) != 0) return open();
  std::fprintf(stderr, "%c: no process %d\n", name_, pid_);
  return false;
}

bool Side::open() {
  const auto server = load::resolve_url(url_);
  if (!server) {
    std::fprintf(stderr, "%c: %s\n", name_, server.error().message.c_str());
    return false;
  }
  load_.emplace(server.value(), options_);
  if (load_->connect_all()) return true;
  std::fprintf(stderr, "%c: %s\n", name_, load_->tally().problem.c_str());
  return false;
}

void Side::close() {
  closed_ = tally();
  load_.reset();
}

load::Tally Side::tally() {
  load::Tally sum = closed_;
  if (load_.has_value()) sum.merge(load_->tally());
  return sum;
}

Slice Side::run_slice(int64_t duration_ns) {
  Slice slice{.side = name_};
  if (renews_) {
    if (!load_.has_value() && !open()) std::exit(1);
    load_->run_until(load::now_ns() + duration_ns);
    load_->drain(5 * load::kNanosecondsPerSecond);
    wait_settled_family_cpu_ns(pid_);
  }
  const load::ProcessUsage before = read_family_usage(pid_);
  const uint64_t requests_before = load_->tally().requests;
  const int64_t own_before = load::own_cpu_ns();
  const int64_t start = load::now_ns();
  load_->run_until(start + duration_ns);
  load_->drain(5 * load::kNanosecondsPerSecond);
  slice.seconds = static_cast<double>(load::now_ns() - start) / load::kNanosecondsPerSecond;
  slice.load_cpu_ns = load::own_cpu_ns() - own_before;
  slice.server_cpu_ns = wait_settled_family_cpu_ns(pid_) - before.cpu_ns;
  slice.requests = load_->tally().requests - requests_before;
  const uint64_t switches = read_family_usage(pid_).context_switches.sum();
  // Threads that ended take their switches with them.
  const uint64_t switches_before = before.context_switches.sum();
  slice.context_switches = switches > switches_before ? switches - switches_before : 0;
  if (renews_) close();
  return slice;
}

Result run_slices(Side& a, Side& b, int quadruples, int64_t slice_ns, int warmup_slices) {
  Result result;
  for (int i = 0; i < warmup_slices; ++i) (i % 2 == 0 ? a : b).run_slice(slice_ns);
  for (int i = 0; i < quadruples && a.alive() && b.alive(); ++i) {
    double cost_a = 0;
    double cost_b = 0;
    for (Side* side : {&a, &b, &b, &a}) {
      const Slice slice = side->run_slice(slice_ns);
      (side == &a ? cost_a : cost_b) += slice.cost();
      result.slices.push_back(slice);
    }
    if (cost_a > 0 && cost_b > 0) result.ratios.push_back(cost_b / cost_a);
    if (i % 10 == 9) {
      std::fprintf(stderr, "%d of %d quadruples, last ratio %.3f\n", i + 1, quadruples,
                   cost_b / cost_a);
    }
  }
  return result;
}

}  // namespace bench
