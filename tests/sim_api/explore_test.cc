// Goal: explore() finds a seed that fails, whatever way it fails, makes its plan small, and can
// repeat it. Method: scenarios with planted failures, whose smallest plan is known.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <string>

#include "served.h"

namespace sim_api { namespace {

using namespace std::chrono_literals;

// Eight clients and many faults. The run fails when client 3 takes part and client 6 once waits
// long: two clients, one fault.
void late_reply(sim::World& world) {
  bool three = false, late = false;
  serve_echo(world, [&](const std::string& url) {
    for (int i = 0; i < 8; ++i) {
      world.client("client", [&, url](sim::Client& client) {
        client.connect(url);
        for (int request = 0; request < 6; ++request) {
          const auto before = world.now();
          client.send("hello\n");
          client.expect("hello\n");
          late = late || (client.number() == 6 && world.now() - before > 2ms);
        }
        three = three || client.number() == 3;
      });
    }
  });
  world.check(!(three && late), "client 6 has waited, and client 3 was there");
}

sim::ExploreOptions many_faults() {
  sim::ExploreOptions options;
  options.name = "late";
  options.world.faults = sim::Faults{.interrupted = 500,
                                     .receive_not_ready = 500,
                                     .send_squeezed = 500,
                                     .segment_bytes_max = 2,
                                     .client_stalled = 500};
  options.report = nullptr;
  return options;
}

TEST(SimExplore, AFailureOfTwoClientsAndOneFaultEndsAtTwoAndOne) {
  const sim::Verdict verdict = sim::explore(many_faults(), late_reply);
  ASSERT_FALSE(verdict);
  EXPECT_EQ(verdict.clients_before, 8U);
  EXPECT_GT(verdict.faults_before, 50U);
  ASSERT_EQ(verdict.clients_after, 2U) << verdict.report;
  ASSERT_EQ(verdict.faults_after, 1U) << verdict.report;
  EXPECT_EQ(*verdict.plan.clients, (std::vector<uint32_t>{3, 6}));
  EXPECT_EQ((*verdict.plan.faults)[0].kind, sim::FaultKind::kClientStall);
  EXPECT_EQ((*verdict.plan.faults)[0].client, 6U);
  EXPECT_EQ(verdict.sentence, "client 6 has waited, and client 3 was there");
  for (const std::string part :
       {"late: seed ", "smallest plan: 2 of 8 clients, 1 of ", "  client 3 'client'\n",
        "  fault client_stall of client 6 at ", "client 6 'client' sends \"hello\\n\"",
        "TRIREME_SIM_PLAN='late seed=", " clients=3,6 faults=client_stall:6."}) {
    EXPECT_NE(verdict.report.find(part), std::string::npos) << part << "\n" << verdict.report;
  }
}

// Sets a variable of the environment for as long as it lives.
class Environment {
 public:
  Environment(const char* name, const std::string& value) : name_(name) {
    ::setenv(name, value.c_str(), 1);
  }
  ~Environment() { ::unsetenv(name_); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  const char* name_;
};

TEST(SimExplore, ThePlanOfAReportRepeatsIt) {
  const sim::Verdict found = sim::explore(many_faults(), late_reply);
  ASSERT_FALSE(found);
  {
    const Environment plan("TRIREME_SIM_PLAN", "late " + found.plan.text());
    const sim::Verdict again = sim::explore(many_faults(), late_reply);
    EXPECT_EQ(again.sentence, found.sentence);
    EXPECT_EQ(again.where, found.where);
    EXPECT_EQ(again.runs, 1U);
    EXPECT_EQ(again.clients_after, 2U);
    EXPECT_EQ(again.faults_after, 1U);
  }
  {
    const Environment plan("TRIREME_SIM_PLAN", "other " + found.plan.text());
    const sim::Verdict others = sim::explore(many_faults(), late_reply);
    EXPECT_TRUE(others.passed);
    EXPECT_EQ(others.runs, 0U);
  }
  // With one client less it does not fail.
  sim::Plan smaller = found.plan;
  smaller.clients = {6};
  const Environment plan("TRIREME_SIM_PLAN", "late " + smaller.text());
  EXPECT_TRUE(sim::explore(many_faults(), late_reply).passed);
}

TEST(SimExplore, ThePlanIsTheSameEachTime) {
  const sim::Verdict first = sim::explore(many_faults(), late_reply);
  const sim::Verdict second = sim::explore(many_faults(), late_reply);
  EXPECT_EQ(first.plan.text(), second.plan.text());
  EXPECT_EQ(first.report, second.report);
}

void plain_echo(sim::World& world) {
  serve_echo(world, [&](const std::string& url) {
    for (int i = 0; i < 3; ++i) {
      world.client("client", [url](sim::Client& client) {
        client.connect(url);
        client.pause(std::chrono::microseconds(client.below(100)));
        client.send("a\nb\n");
        client.expect("a\nb\n");
      });
    }
  });
}

TEST(SimExplore, SeedsGiveTheSameTraces) {
  const sim::ExploreOptions options{.name = "echo", .seeds = 50, .report = nullptr};
  const sim::Verdict first = sim::explore(options, plain_echo);
  const sim::Verdict second = sim::explore(options, plain_echo);
  EXPECT_TRUE(first);
  EXPECT_EQ(first.runs, 50U);
  EXPECT_EQ(first.trace_hash, second.trace_hash);
  const sim::Verdict others =
      sim::explore({.name = "echo", .seeds = 50, .first_seed = 51, .report = nullptr}, plain_echo);
  EXPECT_NE(first.trace_hash, others.trace_hash);
  const Environment seeds("TRIREME_SIM_SEEDS", "7");
  EXPECT_EQ(sim::explore(options, plain_echo).runs, 7U);
}

// Ways to fail.
TEST(SimExplore, ALivelockIsAFailure) {
  const sim::Verdict verdict =
      run_once([](sim::World& world) { world.wait_until([] { return false; }, 1h); },
               {.world = {.time_max = 100ms}});
  EXPECT_NE(verdict.sentence.find("the limit of virtual time is over"), std::string::npos)
      << verdict.sentence;
  EXPECT_EQ(verdict.where, "");
  EXPECT_NE(verdict.report.find("fiber 1 'main'"), std::string::npos) << verdict.report;
}

TEST(SimExplore, ACrashIsAFailureAndShrinks) {
  sim::ExploreOptions options{.name = "crash", .seeds = 20, .report = nullptr};
  const sim::Verdict verdict = sim::explore(options, [](sim::World& world) {
    serve_echo(world, [&](const std::string& url) {
      for (int i = 0; i < 5; ++i) {
        world.client("client", [url](sim::Client& client) {
          client.connect(url);
          if (client.number() == 4) std::abort();
        });
      }
    });
  });
  ASSERT_FALSE(verdict);
  EXPECT_NE(verdict.sentence.find("Aborted"), std::string::npos) << verdict.sentence;
  EXPECT_EQ(*verdict.plan.clients, std::vector<uint32_t>{4});
  EXPECT_EQ(verdict.faults_after, 0U);
}

TEST(SimExplore, AnEndlessLoopIsAFailure) {
  const sim::Verdict verdict = run_once(
      [](sim::World&) {
        for (volatile int turns = 0;;) turns = turns + 1;
      },
      {.run_time_max = 100ms});
  EXPECT_NE(verdict.sentence.find("takes too long in real time"), std::string::npos)
      << verdict.sentence;
}

TEST(SimExplore, WhatAScenarioThrowsIsAFailure) {
  const sim::Verdict verdict =
      run_once([](sim::World&) { throw std::runtime_error("a wrong turn"); });
  EXPECT_EQ(verdict.sentence, "the scenario throws: a wrong turn");
}

TEST(SimExplore, ARunThatDoesNotRepeatIsSaidToLookOutside) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_NONBLOCK), 0);
  ASSERT_EQ(::write(ends[1], "x", 1), 1);  // for the first run alone
  const sim::Verdict verdict =
      sim::explore({.name = "outside", .seeds = 3, .report = nullptr}, [&](sim::World& world) {
        char byte = 0;
        world.check(::read(ends[0], &byte, 1) != 1, "the byte is here");
      });
  ::close(ends[0]);
  ::close(ends[1]);
  ASSERT_FALSE(verdict);
  EXPECT_NE(verdict.report.find("a second run of the seed ends differently"), std::string::npos)
      << verdict.report;
}

TEST(SimPlan, IsWrittenAndRead) {
  for (const char* text :
       {"seed=17", "seed=18446744073709551615 clients=1,3",
        "seed=1 clients= faults=", "seed=2 faults=preempted:12,client_reset:2.1"}) {
    const auto plan = sim::Plan::parse(text);
    ASSERT_TRUE(plan) << text;
    EXPECT_EQ(plan->text(), text);
  }
  for (const char* text : {"", "clients=1", "seed=", "seed=x", "seed=1 clients=a", "seed=1 more=1",
                           "seed=1 faults=preempted", "seed=1 faults=nothing:1",
                           "seed=1 faults=delay:1.x", "seed=-1"}) {
    EXPECT_FALSE(sim::Plan::parse(text)) << text;
  }
}

}  // namespace
}  // namespace sim_api
