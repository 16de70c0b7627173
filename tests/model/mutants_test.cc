// Goal: the scenarios would notice if the code were less than it is. Each operation of src that
// they execute is damaged - a weaker memory order, an operation left out - and some scenario must
// fail. Method: the damage is done while it runs (mutation.h). What survives must be in the list of
// survivors.h with its reason, and what is listed must survive.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include "model/scenarios.h"
#include "model/survivors.h"

namespace trireme::model { namespace {

struct Explored {
  NamedScenario scenario;
  Outcome outcome;

  bool reaches(const AtomicSite& where) const {
    return std::any_of(outcome.sites.begin(), outcome.sites.end(), [&](const AtomicSite& site) {
      return site.site == where.site && site.kind == where.kind;
    });
  }
};

// The scenarios with the sites that they reach, short ones first.
std::vector<Explored> explore_undamaged() {
  std::vector<Explored> all;
  for (const NamedScenario& scenario : all_scenarios()) {
    all.push_back({scenario, explore(scenario.run)});
    EXPECT_EQ(all.back().outcome.failure, "") << scenario.name;
  }
  std::sort(all.begin(), all.end(), [](const Explored& a, const Explored& b) {
    return a.outcome.operations < b.outcome.operations;
  });
  return all;
}

std::vector<AtomicSite> sites_of(const std::vector<Explored>& all) {
  std::vector<AtomicSite> sites;
  for (const Explored& one : all) {
    for (const AtomicSite& site : one.outcome.sites) {
      const bool known = std::any_of(sites.begin(), sites.end(), [&](const AtomicSite& other) {
        return other.site == site.site && other.kind == site.kind;
      });
      if (!known) sites.push_back(site);
    }
  }
  return sites;
}

// The scenario that notices, or null.
const char* catcher_of(const Mutation& mutation, const std::vector<Explored>& all) {
  for (const Explored& one : all) {
    if (!one.reaches(mutation.where)) continue;
    const Outcome outcome = explore(one.scenario.run, {.mutation = &mutation});
    EXPECT_TRUE(outcome.complete) << mutation.name << " in " << one.scenario.name;
    if (!outcome.failure.empty()) return one.scenario.name;
  }
  return nullptr;
}

TEST(ModelMutants, EachIsCaughtOrListed) {
  const std::vector<Explored> all = explore_undamaged();
  const std::vector<AtomicSite> sites = sites_of(all);
  const std::vector<Mutation> mutations = mutations_of(sites);
  std::map<std::string, std::string> listed;
  for (const Survivor& survivor : survivors()) listed[survivor.mutant] = survivor.reason;
  std::set<std::string> names;
  size_t caught = 0;
  for (const Mutation& mutation : mutations) {
    EXPECT_TRUE(names.insert(mutation.name).second) << "two mutants are named " << mutation.name;
    const char* catcher = catcher_of(mutation, all);
    std::printf("%s: %s\n", mutation.name.c_str(), catcher != nullptr ? catcher : "SURVIVES");
    if (catcher != nullptr) ++caught;
    EXPECT_NE(catcher != nullptr, listed.contains(mutation.name))
        << mutation.name << (catcher != nullptr ? " is listed, but caught by " : " survives")
        << (catcher != nullptr ? catcher : "");
  }
  for (const auto& [name, reason] : listed) {
    EXPECT_TRUE(names.contains(name)) << "there is no mutant " << name;
    EXPECT_FALSE(reason.empty()) << name << " has no reason";
  }
  std::printf("%zu sites, %zu mutants, %zu caught, %zu listed\n", sites.size(), mutations.size(),
              caught, listed.size());
}

// The headers that say of themselves that a model checker can run them, line by line: no operation
// on an atomic is beyond the scenarios.
TEST(ModelMutants, EveryOperationIsReached) {
  const std::vector<AtomicSite> sites = sites_of(explore_undamaged());
  const std::regex operation(R"([.](load|store|exchange|fetch_\w+|compare_exchange_\w+)[(])");
  size_t headers = 0, operations = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator("src")) {
    if (entry.path().extension() != ".h") continue;
    std::ifstream file(entry.path());
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    if (text.find("so that a model checker") == std::string::npos) continue;
    ++headers;
    std::istringstream lines(text);
    std::string line;
    for (uint32_t number = 1; std::getline(lines, line); ++number) {
      if (!std::regex_search(line, operation)) continue;
      ++operations;
      EXPECT_TRUE(std::any_of(sites.begin(), sites.end(),
                              [&](const AtomicSite& site) {
                                return site.site.line == number &&
                                       entry.path().filename() ==
                                           std::filesystem::path(site.site.file).filename();
                              }))
          << entry.path() << ':' << number << " is reached by no scenario: " << line;
    }
  }
  EXPECT_GE(headers, 8u);
  EXPECT_EQ(operations, sites.size());
}

}  // namespace
}  // namespace trireme::model
