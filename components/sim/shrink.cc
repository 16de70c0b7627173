#include "sim/shrink.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

namespace trireme { inline namespace v0 { namespace sim {
namespace {

// With fewer clients or without faults everything comes in another order, so the order that fails
// has another seed: so many are tried.
constexpr uint64_t kSeedsTried = 150;
constexpr int kRoundsMax = 4;

class Shrinker {
 public:
  Shrinker(Explorer& explorer, const FailedRun& failed, uint64_t runs_max)
      : explorer_(explorer), runs_max_(explorer.runs() + runs_max), best_{{}, failed} {
    best_.plan.seed = failed.seed;
  }

  Shrunk run() {
    for (int round = 0; round < kRoundsMax && !is_over(); ++round) {
      const auto before = sizes();
      drop_all_faults();
      drop_clients();
      drop_kinds_of_faults();
      drop_faults();
      if (sizes() == before) break;
    }
    return std::move(best_);
  }

 private:
  bool is_over() const { return explorer_.runs() >= runs_max_; }
  std::pair<size_t, size_t> sizes() const {
    return {best_.run.clients.size(), best_.run.faults.size()};
  }

  // True, and the new best, if `plan` fails as the first run did.
  bool still_fails(const Plan& plan, uint64_t seeds) {
    if (is_over()) return false;
    if (seeds > 1) {
      Plan nameless = plan;
      nameless.seed = 0;
      if (!tried_.insert(nameless.text()).second) return false;
    }
    FailedRun run = explorer_.run(plan, std::min(seeds, runs_max_ - explorer_.runs()));
    if (!run.failed || run.key != best_.run.key) return false;
    best_.plan = plan;
    best_.plan.seed = run.seed;
    best_.run = std::move(run);
    return true;
  }

  bool has_no_faults() const { return best_.plan.faults && best_.plan.faults->empty(); }

  // The numbers of faults belong to a seed and to an order of events.
  uint64_t seeds_to_try() const {
    return !best_.plan.faults || best_.plan.faults->empty() ? kSeedsTried : 1;
  }

  void drop_all_faults() {
    if (best_.run.faults.empty() || has_no_faults()) return;
    Plan plan = best_.plan;
    plan.faults.emplace();
    still_fails(plan, kSeedsTried);
  }

  void drop_clients() {
    minimize<uint32_t>([this] { return best_.run.clients; },
                       [this](const std::vector<uint32_t>& clients) {
                         Plan plan = best_.plan;
                         plan.clients = clients;
                         return still_fails(plan, seeds_to_try());
                       });
  }

  bool fails_with(const std::vector<PlannedFault>& faults) {
    Plan plan = best_.plan;
    plan.faults = faults;
    return still_fails(plan, 1);
  }

  void drop_kinds_of_faults() {
    for (int kind = 0; kind < kFaultKindCount && !is_over(); ++kind) {
      std::vector<PlannedFault> others;
      for (const PlannedFault& fault : best_.run.faults) {
        if (fault.kind != static_cast<FaultKind>(kind)) others.push_back(fault);
      }
      if (others.size() < best_.run.faults.size()) fails_with(others);
    }
  }

  void drop_faults() {
    minimize<PlannedFault>(
        [this] { return best_.run.faults; },
        [this](const std::vector<PlannedFault>& faults) { return fails_with(faults); });
  }

  // Leaves out more and more of `now()`, in halves at first: a part alone, then all but a part.
  template <typename Item, typename Now, typename Fails>
  void minimize(Now now, Fails fails) {
    if (now().empty() || fails(std::vector<Item>())) return;
    size_t parts = 2;
    while (now().size() > 1 && !is_over()) {
      const std::vector<Item> items = now();
      parts = std::min(parts, items.size());
      const auto begin_of = [&](size_t part) {
        return items.begin() + static_cast<std::ptrdiff_t>(items.size() * part / parts);
      };
      bool smaller = false;
      for (size_t part = 0; part < parts && !smaller; ++part) {
        smaller = fails(std::vector<Item>(begin_of(part), begin_of(part + 1)));
        if (smaller) parts = 2;
      }
      for (size_t part = 0; part < parts && parts > 2 && !smaller; ++part) {
        std::vector<Item> rest(items.begin(), begin_of(part));
        rest.insert(rest.end(), begin_of(part + 1), items.end());
        smaller = fails(rest);
        if (smaller) --parts;
      }
      if (smaller) continue;
      if (parts == items.size()) return;
      parts = std::min(parts * 2, items.size());
    }
  }

  Explorer& explorer_;
  const uint64_t runs_max_;
  Shrunk best_;
  std::set<std::string> tried_;  // with several seeds
};

}  // namespace

Shrunk shrink(Explorer& explorer, const FailedRun& failed, uint64_t runs_max) {
  return Shrinker(explorer, failed, runs_max).run();
}

}}}  // namespace trireme::sim
