// Goal: a program that has a server inside ends it from wherever it is - a handler, a stop token,
// another thread - without waiting, stops one listener of several, and is told what handlers throw.
// Method: whole servers and clients in the test's process.
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "support/client.h"
#include "support/gate.h"
#include "support/test_server.h"
#include "support/text.h"

namespace {
using support::contains;

using support::Client;
using support::Gate;
using support::wait_until;
namespace tr = trireme;
using namespace std::chrono_literals;

using support::kAnyPort;

tr::ServerOptions quiet() {
  return {.io_workers = 2, .log = [](tr::LogLevel, std::string_view) {}};
}

TEST(RequestStop, OfAHandlerEndsRun) {
  tr::Server server(quiet());
  server.listen(kAnyPort, tr::lines(), [&](const tr::Request& request) -> tr::Answer {
    if (request.text() == "STOP") server.request_stop();
    return "<" + request.own() + ">";
  });
  std::promise<std::string> url;
  auto status = std::async(std::launch::async,
                           [&] { return server.run([&] { url.set_value(server.urls()[0]); }); });
  Client client(url.get_future().get());
  EXPECT_EQ(client.ask("STOP"), "<STOP>") << "the handler that ends the server has no answer";
  EXPECT_EQ(client.receive_all(), "");
  client.close();
  ASSERT_EQ(status.wait_for(support::kDeadline), std::future_status::ready);
  EXPECT_EQ(status.get(), 0);
}

TEST(RequestStop, BeforeTheStartTheServerNeverStarts) {
  tr::Server server(quiet());
  server.listen(kAnyPort, tr::lines(), support::mark);
  server.drain();
  EXPECT_FALSE(server.start());
}

TEST(RequestStop, ManyTimesAndFromManyThreads) {
  for (int i = 0; i < support::scaled(20); ++i) {
    tr::Server server(quiet());
    server.listen(kAnyPort, tr::lines(), support::mark);
    ASSERT_TRUE(server.start());
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 4; ++thread) {
      threads.emplace_back([&] { server.request_stop(); });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_TRUE(server.drain().empty());
  }
}

TEST(StopToken, EndsRun) {
  for (const bool before : {false, true}) {
    tr::Server server(quiet());
    server.listen(kAnyPort, tr::lines(), support::mark);
    std::stop_source stop;
    if (before) stop.request_stop();
    std::atomic<bool> ready{false};
    auto status = std::async(std::launch::async,
                             [&] { return server.run(stop.get_token(), [&] { ready = true; }); });
    if (!before) {
      ASSERT_TRUE(wait_until([&] { return ready.load(); }));
      stop.request_stop();
    }
    ASSERT_EQ(status.wait_for(support::kDeadline), std::future_status::ready);
    EXPECT_EQ(status.get(), 0);
    EXPECT_EQ(ready, !before);
  }
}

TEST(AsynchronousDrain, TellsWhatIsStuckAndTheCallerGoesOn) {
  Gate gate;
  tr::ServerOptions options = quiet();
  options.drain_time_max = 50ms;
  tr::Server server(options);
  const Gate::Opener opener(gate);
  server.listen(kAnyPort, tr::lines(),
                [&](const tr::Request&) -> tr::Answer {
                  gate.wait();
                  return "late";
                },
                {.name = "slow"});
  ASSERT_TRUE(server.start());
  Client client(server.urls()[0]);
  ASSERT_TRUE(client.send("a\n"));
  ASSERT_TRUE(wait_until([&] { return gate.arrived() == 1; }));
  std::promise<std::vector<tr::StuckJob>> told;
  server.drain([&](std::vector<tr::StuckJob> stuck) { told.set_value(std::move(stuck)); });
  auto stuck = told.get_future();
  ASSERT_EQ(stuck.wait_for(support::kDeadline), std::future_status::ready);
  const std::vector<tr::StuckJob> jobs = stuck.get();
  ASSERT_EQ(jobs.size(), 1u);
  EXPECT_EQ(jobs[0].service, "slow");
}

TEST(AsynchronousDrain, WhatItsCallbackThrowsIsLogged) {
  support::TestServer server({.io_workers = 1});
  server.listen(support::mark);
  server.start();
  server.server().drain([](auto) { throw std::runtime_error("not my day"); });
  EXPECT_TRUE(wait_until([&] { return contains(server.log(), "not my day"); })) << server.log();
}

TEST(OnException, GetsWhatHandlersThrow) {
  struct Seen {
    std::string service, where, client, text;
    std::exception_ptr exception;
  };
  struct Session {
    explicit Session(tr::Peer) {}
    tr::Answer on_request(const tr::Request&) { throw std::out_of_range("row 7"); }
    void on_close(tr::CloseReason) { throw 3; }
  };
  std::mutex mutex;
  std::vector<Seen> seen;
  tr::ServerOptions options{.io_workers = 1};
  options.on_exception = [&](const tr::HandlerException& thrown) {
    const std::lock_guard lock(mutex);
    seen.push_back({std::string(thrown.service), std::string(thrown.where),
                    std::string(thrown.client), std::string(thrown.text), thrown.exception});
  };
  support::TestServer server(options);
  server.serve<Session>({.name = "rows"});
  server.start();
  {
    Client client(server.url());
    EXPECT_EQ(client.ask("a"), "ERR internal");
  }
  const auto count = [&] {
    const std::lock_guard lock(mutex);
    return seen.size();
  };
  ASSERT_TRUE(wait_until([&] { return count() == 2; }));
  const std::lock_guard lock(mutex);
  EXPECT_EQ(seen[0].service, "rows");
  EXPECT_EQ(seen[0].where, "a handler");
  EXPECT_TRUE(contains(seen[0].client, "127.0.0.1:")) << seen[0].client;
  EXPECT_EQ(seen[0].text, "std::out_of_range: row 7");
  EXPECT_THROW(std::rethrow_exception(seen[0].exception), std::out_of_range);
  EXPECT_EQ(seen[1].where, "on_close");
  EXPECT_FALSE(contains(server.log(), "has thrown")) << server.log();
}

TEST(OnException, ThatThrowsIsLoggedWithIt) {
  tr::ServerOptions options{.io_workers = 1};
  options.on_exception = [](const tr::HandlerException&) { throw std::logic_error("sink"); };
  support::TestServer server(options);
  server.listen([](const tr::Request&) -> tr::Answer { throw std::runtime_error("source"); });
  server.start();
  Client client(server.url());
  EXPECT_EQ(client.ask("a"), "ERR internal");
  EXPECT_TRUE(wait_until([&] { return contains(server.log(), "std::runtime_error: source"); }));
  EXPECT_TRUE(contains(server.log(), "on_exception")) << server.log();
}

// One of two listeners ends: nobody can connect there, its connections go on, and so does the
// other. Both for the Listener and for loops that accept.
class StopListening : public ::testing::TestWithParam<tr::Accepting> {};

TEST_P(StopListening, TheOtherAndItsConnectionsGoOn) {
  tr::Server server(quiet());
  const tr::ListenOptions options{.accepting = GetParam()};
  const tr::ListenerId first = server.listen(kAnyPort, tr::lines(), support::mark, options);
  server.listen(kAnyPort, tr::lines(), support::mark, options);
  ASSERT_TRUE(server.start());
  Client old(server.urls()[0]);
  EXPECT_EQ(old.ask("a"), "<a>");
  server.stop_listening(first);
  server.stop_listening(first);
  EXPECT_TRUE(wait_until([&] { return !Client(server.urls()[0]).connected(); }));
  EXPECT_EQ(old.ask("b"), "<b>");
  Client other(server.urls()[1]);
  EXPECT_EQ(other.ask("c"), "<c>");
  old.close();
  other.close();
  EXPECT_TRUE(server.drain().empty());
  EXPECT_TRUE(tr::books_balance(server.stats(), nullptr));
}

INSTANTIATE_TEST_SUITE_P(Accepting, StopListening,
                         ::testing::Values(tr::Accepting::kListener, tr::Accepting::kLoops),
                         [](const auto& tested) {
                           return tested.param == tr::Accepting::kLoops ? "Loops" : "Listener";
                         });

}  // namespace
