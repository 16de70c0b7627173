#include "trireme/sim/explore.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <utility>

#include "sim/explorer.h"
#include "sim/fail.h"
#include "sim/scheduler.h"
#include "sim/shrink.h"

namespace trireme { inline namespace v0 { namespace sim {
namespace {

constexpr size_t kLinesShown = 40;

std::string shell_word(const std::string& word) {
  const bool plain = word.find_first_not_of(
                         "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                         "0123456789_./=:,+-") == std::string::npos;
  if (plain && !word.empty()) return word;
  std::string quoted_word = "'";
  for (const char letter : word) quoted_word += letter == '\'' ? "'\\''" : std::string(1, letter);
  return quoted_word + "'";
}

// How this process was started.
std::string command_line() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  const std::string words{std::istreambuf_iterator<char>(file), {}};
  std::string line;
  size_t begin = 0;
  while (begin < words.size()) {
    const size_t end = std::min(words.find('\0', begin), words.size());
    line += " " + shell_word(words.substr(begin, end - begin));
    begin = end + 1;
  }
  return line.empty() ? " PROGRAM" : line;
}

bool is_set(const char* name) {
  const char* text = std::getenv(name);
  return text != nullptr && *text != '\0' && *text != '0';
}

// Why the smallest plan is what it is: who, what, and in which order.
std::string describe(const Shrunk& shrunk, const FailedRun& first) {
  std::string text = "smallest plan: " + std::to_string(shrunk.run.clients.size()) + " of " +
                     std::to_string(first.clients.size()) + " clients, " +
                     std::to_string(shrunk.run.faults.size()) + " of " +
                     std::to_string(first.faults.size()) + " faults\n";
  for (const uint32_t client : shrunk.run.clients) {
    text +=
        "  client " + std::to_string(client) + " '" + shrunk.run.client_names[client - 1] + "'\n";
  }
  for (size_t i = 0; i < std::min(shrunk.run.faults.size(), kLinesShown); ++i) {
    const PlannedFault& fault = shrunk.run.faults[i];
    text += "  fault " + std::string(to_string(fault.kind));
    if (fault.client != 0) text += " of client " + std::to_string(fault.client);
    text += " at " + milliseconds_text(Duration(shrunk.run.fault_times[i])) + "\n";
  }
  if (!shrunk.run.lines.empty()) text += "what happened:\n";
  const size_t lines = shrunk.run.lines.size();
  for (size_t i = lines > kLinesShown ? lines - kLinesShown : 0; i < lines; ++i) {
    text += "  " + shrunk.run.lines[i] + "\n";
  }
  // Without a sentence of its own, what a process that died has said is all there is.
  if (shrunk.run.where.empty() && !shrunk.run.said.empty()) {
    text += "standard error:\n" + shrunk.run.said;
    if (text.back() != '\n') text += "\n";
  }
  return text;
}

class Exploration {
 public:
  Exploration(const ExploreOptions& options, const Scenario& scenario)
      : options_(options), explorer_(options_, scenario) {}

  Verdict explore_seeds() {
    Plan plan;
    plan.seed = options_.first_seed;
    uint64_t seeds = options_.seeds;
    if (const char* text = std::getenv("TRIREME_SIM_SEEDS")) {
      seeds = std::strtoull(text, nullptr, 10);
    }
    const FailedRun failed = explorer_.run(plan, seeds);
    if (!failed.failed) return passed();
    plan.seed = failed.seed;
    // A second run tells whether there is anything to be made smaller.
    const FailedRun again = explorer_.run(plan, 1);
    if (!again.failed || again.key != failed.key) {
      return report({plan, failed}, failed,
                    "a second run of the seed ends differently: the program looks at something "
                    "outside of the world, such as addresses, random numbers or files\n");
    }
    Shrunk shrunk{plan, failed};
    if (options_.shrink_runs_max > 0) {
      shrunk = shrink(explorer_, failed, static_cast<uint64_t>(options_.shrink_runs_max));
    }
    // Once more, with all that happens written down.
    FailedRun told = explorer_.run(shrunk.plan, 1, true);
    if (told.failed && told.key == failed.key) shrunk.run = std::move(told);
    return report(shrunk, failed, {});
  }

  Verdict repeat(const Plan& plan) {
    if (is_set("TRIREME_SIM_LOG")) options_.world.log = stdout;
    if (is_set("TRIREME_SIM_DEBUG")) {
      explorer_.run_here(plan);
      return passed();
    }
    const FailedRun failed = explorer_.run(plan, 1, true);
    return failed.failed ? report({plan, failed}, failed, {}) : passed();
  }

 private:
  Verdict passed() const {
    Verdict verdict;
    verdict.runs = explorer_.runs();
    verdict.trace_hash = explorer_.hash_sum();
    return verdict;
  }

  Verdict report(const Shrunk& shrunk, const FailedRun& first, const std::string& remark) {
    Verdict verdict = passed();
    verdict.passed = false;
    verdict.sentence = shrunk.run.sentence;
    verdict.where = shrunk.run.where;
    verdict.plan = shrunk.plan;
    verdict.clients_before = first.clients.size();
    verdict.clients_after = shrunk.run.clients.size();
    verdict.faults_before = first.faults.size();
    verdict.faults_after = shrunk.run.faults.size();
    verdict.command =
        "TRIREME_SIM_PLAN=" + shell_word(options_.name + " " + shrunk.plan.text()) + command_line();
    verdict.report = options_.name + ": seed " + std::to_string(first.seed) + " fails\n";
    verdict.report += verdict.where.empty() ? "" : verdict.where + ": ";
    verdict.report += verdict.sentence + "\n" + remark + describe(shrunk, first) +
                      std::to_string(verdict.runs) + " runs. Repeat it with:\n  " +
                      verdict.command + "\n";
    if (options_.report != nullptr) {
      std::fputs(verdict.report.c_str(), options_.report);
      std::fflush(options_.report);
    }
    return verdict;
  }

  ExploreOptions options_;
  Explorer explorer_;
};

}  // namespace

Verdict explore(const ExploreOptions& options, const Scenario& scenario) {
  if (Scheduler::of_this_thread() != nullptr) fail("explore() was called inside of a world.");
  const char* text = std::getenv("TRIREME_SIM_PLAN");
  if (text == nullptr) return Exploration(options, scenario).explore_seeds();
  const std::string_view words(text);
  if (!words.starts_with(options.name + " ")) return {};  // another scenario's
  const auto plan = Plan::parse(words.substr(options.name.size() + 1));
  if (!plan)
    fail("TRIREME_SIM_PLAN is no plan; write 'NAME seed=NUMBER [clients=..] [faults=..]'.");
  return Exploration(options, scenario).repeat(*plan);
}

}}}  // namespace trireme::sim
