// Goal: clients do to a simulated server what real ones do, and a run ends with a sentence when the
// server does not do its part. Method: worlds without faults; time is virtual, so it is exact.
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "served.h"

namespace sim_api { namespace {

using namespace std::chrono_literals;

sim::WorldOptions calm() { return {.faults = sim::Faults()}; }

uint64_t closed(const tr::Stats& stats, tr::CloseReason reason) {
  return stats.closed_by_reason[static_cast<size_t>(reason)];
}

TEST(SimClients, AScriptIsDoneStepByStep) {
  sim::World world(1, calm());
  tr::Stats stats;
  bool done = false;
  world.run([&] {
    stats = serve_echo(world, [&](const std::string& url) {
      world.client("ada", sim::Script()
                              .connect(url)
                              .send("a\nb")
                              .expect("a\n")
                              .pause(5ms)
                              .send("\n")
                              .expect("b\n")
                              .end()
                              .expect_end());
      world.wait_for_clients();
      done = true;
      EXPECT_GE(world.now(), 5ms);
    });
  });
  EXPECT_TRUE(done);
  EXPECT_EQ(stats.requests, 2U);
  EXPECT_EQ(closed(stats, tr::CloseReason::kPeerClosed), 1U);
  EXPECT_EQ(world.open_descriptors(), 0);
  EXPECT_EQ(world.living_threads(), 0);
}

TEST(SimClients, AProgramReadsLinesBytesAndTheRest) {
  sim::World world(2, calm());
  world.run([&] {
    serve_echo(world, [&](const std::string& url) {
      world.client("ada", [&world, url](sim::Client& ada) {
        EXPECT_FALSE(ada.connected());
        ada.connect(url);
        EXPECT_TRUE(ada.connected());
        EXPECT_EQ(ada.number(), 1U);
        EXPECT_EQ(ada.name(), "ada");
        ada.send("one\ntwo\nthree\nfour\n");
        EXPECT_EQ(ada.read_line(), "one");
        EXPECT_EQ(ada.read(4), "two\n");
        const auto before = world.now();
        EXPECT_EQ(ada.read_for(20ms), "three\nfour\n");
        EXPECT_GE(world.now() - before, 20ms);
        ada.send("five\n");
        ada.end();
        EXPECT_EQ(ada.read_to_end(), "five\n");
        ada.close();
        ada.connect(url);  // once more
        ada.send("six\n");
        ada.expect("six\n");
      });
    });
  });
}

TEST(SimClients, AResetIsOneForTheServer) {
  sim::World world(3, calm());
  tr::Stats stats;
  world.run([&] {
    stats = serve_echo(world, [&](const std::string& url) {
      world.client("ada", sim::Script().connect(url).send("a\n").expect("a\n").reset());
    });
  });
  EXPECT_EQ(closed(stats, tr::CloseReason::kReset), 1U);
}

TEST(SimClients, ASlowReaderTakesItsTime) {
  sim::World world(4, calm());
  world.run([&] {
    serve_echo(world, [&](const std::string& url) {
      std::string line(100, 'x');
      line.back() = '\n';
      world.client("ada", [&world, url, line](sim::Client& ada) {
        ada.connect(url);
        ada.read_slowly({.bytes_max = 10, .pause = 7ms, .delay = 100ms});
        ada.send(line);
        const auto before = world.now();
        ada.expect(line);
        EXPECT_GE(world.now() - before, 170ms);
        EXPECT_LE(world.now() - before, 175ms);
      });
    });
  });
}

TEST(SimClients, AClientThatDoesNotReadIsClosedByTheServersClock) {
  sim::World world(5, calm());
  tr::Stats stats;
  world.run([&] {
    tr::Server server(quiet(), world.platform());
    server.listen("tcp://127.0.0.1:0", tr::lines(),
                  [](const tr::Request&) -> tr::Answer { return std::string(4 << 20, 'x'); },
                  {.limits = {.write_time_max = 2s}});
    world.start(server);
    world.client("deaf", [&](sim::Client& deaf) {
      deaf.connect(server.urls()[0]);
      deaf.send("much\n");
      deaf.pause(10s);
    });
    world.finish(server);
    stats = server.stats();
  });
  EXPECT_EQ(closed(stats, tr::CloseReason::kWriteTimeout), 1U);
}

TEST(SimClients, UrlsNameTheLoopbackInEachWay) {
  for (const char* url : {"tcp://127.0.0.1:7000", "tcp://:7000", "tcp://localhost:7000",
                          "tcp://[::1]:7000", "tcp://0.0.0.0:7000"}) {
    sim::World world(6, calm());
    world.run([&] {
      tr::Server server(quiet(), world.platform());
      // why: the port is one of a simulated machine
      server.listen("tcp://:7000", tr::lines(),
                    [](const tr::Request& request) -> tr::Answer { return request.own(); });
      world.start(server);
      world.client("ada", sim::Script().connect(url).send("a\n").expect("a\n"));
      world.finish(server);
    });
  }
}

// Handlers of all kinds wait in virtual time: an hour takes none.
TEST(SimClients, HandlersWaitInVirtualTime) {
  sim::World world(7, calm());
  world.run([&] {
    tr::Server server(quiet(), world.platform());
    server.listen("tcp://127.0.0.1:0", tr::lines(),
                  [&world](const tr::Request& request) -> tr::Answer {
                    if (request.text() == "wait") tr::wait_for(1h / 4);
                    if (request.text() == "block") world.sleep_for(1h / 4);
                    return request.own();
                  });
    world.start(server);
    for (const char* request : {"wait\n", "block\n"}) {
      world.client(request, [&world, &server, request](sim::Client& client) {
        client.set_patience(1h);
        client.connect(server.urls()[0]);
        const auto before = world.now();
        client.send(request);
        client.expect(request);
        EXPECT_GE(world.now() - before, 1h / 4);
      });
    }
    world.client("quick", [&world, &server](sim::Client& client) {
      client.connect(server.urls()[0]);
      const auto before = world.now();
      client.send("quick\n");
      client.expect("quick\n");
      EXPECT_LE(world.now() - before, 100ms);
    });
    world.finish(server);
  });
}

// Sentences. Each demand ends the run with its own line.
std::string failure_of(const std::function<void(sim::Client&, const std::string& url)>& client,
                       std::string* where = nullptr) {
  const sim::Verdict verdict = run_once([&](sim::World& world) {
    serve_echo(world, [&](const std::string& url) {
      world.client("ada", [&client, url](sim::Client& ada) { client(ada, url); });
    });
  });
  if (where != nullptr) *where = verdict.where;
  return verdict.sentence;
}

TEST(SimClients, WhatComesInsteadIsSaid) {
  std::string where;
  const auto wrong = [](sim::Client& ada, const std::string& url) {
    sim::Script().connect(url).send("a\x01\n")(ada);
    ada.expect("b\n");
  };
  EXPECT_EQ(failure_of(wrong, &where), "client 1 'ada' waits for \"b\\n\" and hears \"a\\x01\\n\"");
  const int line = __LINE__ - 3;
  EXPECT_TRUE(where.ends_with("clients_test.cc:" + std::to_string(line))) << where;
  EXPECT_EQ(failure_of([](sim::Client& ada, const std::string& url) {
              sim::Script().connect(url).send("a\n").end().expect("a\nb")(ada);
            }),
            "client 1 'ada' waits for \"a\\nb\" and hears \"a\\n\" and the end of the stream");
  EXPECT_EQ(failure_of([](sim::Client& ada, const std::string& url) {
              sim::Script().connect(url).set_patience(1s).send("a")(ada);
              ada.read_line();
            }),
            "client 1 'ada' waits for a line and hears \"\" and then nothing");
  EXPECT_EQ(failure_of([](sim::Client& ada, const std::string& url) {
              sim::Script().connect(url).send("a\n").end().expect_end()(ada);
            }),
            "client 1 'ada' waits for the end of the stream and hears \"a\\n\"");
  EXPECT_EQ(failure_of([](sim::Client& ada, const std::string&) { ada.send("a"); }),
            "client 1 'ada' calls send without a connection");
  EXPECT_EQ(failure_of([](sim::Client& ada, const std::string&) { ada.connect("http://x"); }),
            "client 1 'ada' cannot connect to 'http://x'; write tcp://HOST:PORT, unix:/path or "
            "unix:@name");
  EXPECT_EQ(failure_of([](sim::Client& ada, const std::string&) {
              EXPECT_FALSE(ada.try_connect("tcp://127.0.0.1:1"));  // why: nobody listens there
              ada.connect("tcp://127.0.0.1:1");                    // why: likewise
            }),
            "client 1 'ada' cannot connect to 'tcp://127.0.0.1:1': Connection refused");
  EXPECT_EQ(failure_of([](sim::Client&, const std::string&) { throw std::runtime_error("oh"); }),
            "client 1 'ada' throws: oh");
}

TEST(SimWorld, AServerThatCannotStartEndsTheRun) {
  const sim::Verdict verdict = run_once([](sim::World& world) {
    tr::Server server(quiet(), world.platform());
    server.listen("tcp://nowhere", tr::lines(),
                  [](const tr::Request& request) -> tr::Answer { return request.own(); });
    world.start(server);
  });
  EXPECT_FALSE(verdict);
  EXPECT_TRUE(verdict.sentence.starts_with("the server does not start: ")) << verdict.sentence;
}

TEST(SimWorld, AHandlerThatIsStuckEndsTheRun) {
  const sim::Verdict verdict = run_once([](sim::World& world) {
    tr::ServerOptions options = quiet();
    options.drain_time_max = 1s;
    tr::Server server(options, world.platform());
    server.listen("tcp://127.0.0.1:0", tr::lines(),
                  [&world](const tr::Request& request) -> tr::Answer {
                    world.sleep_for(1h);
                    return request.own();
                  },
                  {.name = "sleepy"});
    world.start(server);
    world.client("ada", [&](sim::Client& ada) {
      ada.connect(server.urls()[0]);
      ada.send("a\n");
      ada.pause(1ms);
    });
    world.finish(server);
  });
  EXPECT_EQ(verdict.sentence, "a handler of 'sleepy' had not returned when the drain ended");
}

TEST(SimWorldDeathTest, AWorldByItselfEndsTheProcess) {
  GTEST_FLAG_SET(death_test_style, "fast");
  EXPECT_DEATH(
      {
        sim::World world(1, calm());
        world.run([&] { world.check(1 + 1 == 3, "sums are wrong"); });
      },
      "simulator: seed 1: .*clients_test.cc:[0-9]+: sums are wrong");
}

TEST(SimWorld, AConditionIsWaitedForInVirtualTime) {
  sim::World world(8, calm());
  world.run([&] {
    bool set = false;
    world.spawn("setter", [&] {
      world.sleep_for(30ms);  // why: virtual time
      set = true;
    });
    EXPECT_FALSE(world.wait_until([&] { return set; }, 10ms));
    EXPECT_TRUE(world.wait_until([&] { return set; }, 1s));
    EXPECT_GE(world.now(), 30ms);
    EXPECT_LE(world.now(), 31ms);
  });
}

}  // namespace
}  // namespace sim_api
