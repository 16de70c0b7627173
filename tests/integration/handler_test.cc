// Goal: whatever a handler does - throw, block, never return, answer late, from elsewhere or not at
// all - its own client gets what the contract says, and no other client notices.
// Method: handlers that wait at a gate of the test; sessions that note their callbacks.
#include <algorithm>
#include <atomic>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/client.h"
#include "support/gate.h"
#include "support/test_server.h"

namespace {

using support::Client;
using support::Gate;
using support::TestServer;
using support::wait_until;
namespace tr = trireme;
using namespace std::chrono_literals;

class HandlerTest : public support::ServerTest {};
class BlockingHandlerTest : public support::ServerTest {};

TEST_P(HandlerTest, ThatThrows) {
  TestServer server(options());
  server.listen([](const tr::Request& request) -> tr::Answer {
    if (request.text() == "throw") throw std::runtime_error("no");
    if (request.text() == "throw a number") throw 7;
    return request.own();
  });
  server.start();
  Client client(server.url());
  ASSERT_TRUE(client.send("a\nthrow\nb\nthrow a number\nc\n"));
  client.shutdown_write();
  EXPECT_EQ(client.receive_all(), "a\nERR internal\nb\nERR internal\nc\n");
  EXPECT_EQ(server.stats().handler_exceptions, 2u);
}

// The log says what it was, so that nobody must write a catch block for that; a client can neither
// forge a line nor fill the log.
class ThrownTest : public ::testing::TestWithParam<tr::Dispatch> {};

TEST_P(ThrownTest, IsLogged) {
  TestServer server({.io_workers = 1, .dispatch = GetParam(), .linger_time_max = 10ms});
  server.listen(
      [](const tr::Request& request) -> tr::Answer {
        if (request.text() == "number") throw 7;
        throw std::runtime_error("no key " + request.own() + "\nforged");
      },
      {.name = "lookup"});
  server.start();
  Client client(server.url());
  EXPECT_EQ(client.ask("a"), "ERR internal");
  const std::string line =
      "a handler of 'lookup', kind 0, for 127.0.0.1:" + std::to_string(client.port()) +
      " has thrown std::runtime_error: no key a\\x0aforged\n";
  EXPECT_TRUE(wait_until([&] { return server.log() == line; })) << server.log();
  const auto begin = support::Clock::now();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(client.ask("number"), "ERR internal");
  server.drain();
  const auto lasted = std::chrono::ceil<std::chrono::seconds>(support::Clock::now() - begin);
  const std::string log = server.log();
  EXPECT_LE(std::count(log.begin(), log.end(), '\n'), 1 + lasted.count()) << log;
  EXPECT_EQ(server.stats().handler_exceptions, 101u);
}

// The pieces of a session that have no client to answer.
struct ThrowingSession {
  explicit ThrowingSession(std::string& where) : where(where) {
    if (where == "constructor") throw std::runtime_error("no database");
  }
  tr::Answer on_request(const tr::Request&) { return "x"; }
  void on_drain() {
    if (where == "on_drain") throw std::out_of_range("no room");
  }
  void on_close(tr::CloseReason) {
    if (where == "on_close") throw 7;
  }
  std::string& where;
};

TEST(ThrowingSession, IsLoggedWhereverItThrows) {
  for (std::string where : {"constructor", "on_drain", "on_close"}) {
    TestServer server({.linger_time_max = 10ms});
    server.serve<ThrowingSession>({.name = "chat"}, where);
    server.start();
    Client client(server.url());
    if (where == "constructor") {
      EXPECT_EQ(client.ask("x"), "");
    } else {
      EXPECT_EQ(client.ask("x"), "x");
    }
    server.drain();
    const std::string log = server.log();
    const std::string head = where == "constructor" ? "the constructor of a session of 'chat' for "
                                                    : where + " of 'chat' for ";
    EXPECT_EQ(log.rfind(head + "127.0.0.1:" + std::to_string(client.port()) + " has thrown ", 0),
              0u)
        << log;
    EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 1) << log;
  }
}

TEST_P(HandlerTest, ThatThrowsWithACodecWithoutErrors) {
  TestServer server(options());
  server.listen([](const tr::Request&) -> tr::Answer { throw std::runtime_error("no"); }, {},
                tr::bytes());
  server.start();
  Client client(server.url());
  EXPECT_EQ(client.converse("anything"), "");
  EXPECT_EQ(client.end(), Client::End::kEof);
}

// A Reply that was taken: what the handler throws afterwards does not answer twice.
TEST_P(HandlerTest, ThatThrowsAfterItsReply) {
  TestServer server(options());
  server.listen([](const tr::Request& request, tr::Reply reply) {
    if (request.text() == "first") std::move(reply).send("answered");
    throw std::runtime_error("no");
  });
  server.start();
  Client client(server.url());
  EXPECT_EQ(client.ask("first"), "answered");
  EXPECT_EQ(client.ask("second"), "ERR internal");
}

TEST_P(HandlerTest, AnswersOfEveryKind) {
  TestServer server(options());
  server.listen([](const tr::Request& request) -> tr::Answer {
    if (request.text() == "none") return tr::no_answer();
    if (request.text() == "busy") return tr::busy();
    if (request.text() == "error") return tr::error("not like this");
    if (request.text() == "bytes") return tr::Answer("switched").then(tr::bytes());
    return request.text();
  });
  server.start();
  Client client(server.url());
  EXPECT_EQ(client.converse("none\nbusy\nerror\ntext\nbytes\nraw", true),
            "BUSY\nERR not like this\ntext\nswitched\nraw");
  EXPECT_EQ(server.stats().unanswered, 1u);
}

// The client goes on sending when its last reply is on its way: closing must not destroy that.
TEST_P(HandlerTest, CloseAfterWhileTheClientPipelinesOn) {
  TestServer server(options());
  server.listen([](const tr::Request& request) -> tr::Answer {
    if (request.text() == "quit") return tr::Answer("bye").close_after();
    return request.text();
  });
  server.start();
  std::string more = "a\nquit\n";
  while (more.size() < 500'000) more += "a line that nobody reads\n";
  for (int i = 0; i < 5; ++i) {
    Client client(i % 2 == 0 ? server.url() : server.url6());
    ASSERT_EQ(client.converse(more), "a\nbye\n");
    ASSERT_EQ(client.end(), Client::End::kEof);
  }
  EXPECT_EQ(server.stats().requests, 10u);
  EXPECT_TRUE(wait_until([&] { return server.closed(tr::CloseReason::kClosedByHandler) == 5; }));
}

TEST_P(HandlerTest, ReplyFromAnotherThread) {
  TestServer server(options());
  std::mutex mutex;
  std::vector<std::pair<std::string, tr::Reply>> waiting;
  std::atomic<bool> stop{false};
  std::thread answering([&] {
    while (!stop) {
      std::vector<std::pair<std::string, tr::Reply>> taken;
      {
        const std::lock_guard lock(mutex);
        taken.swap(waiting);
      }
      for (auto i = taken.rbegin(); i != taken.rend(); ++i) {  // the latest first
        std::move(i->second).send(std::string_view(i->first));
      }
      std::this_thread::yield();
    }
  });
  server.listen(
      [&](const tr::Request& request, tr::Reply reply) {
        const std::lock_guard lock(mutex);
        waiting.emplace_back(request.own(), std::move(reply));
      },
      {.ordering = tr::Ordering::kPipelined});
  server.start();
  std::string lines;
  for (int i = 0; i < support::scaled(5000); ++i) lines += std::to_string(i) + "\n";
  Client client(server.url());
  EXPECT_TRUE(client.converse(lines, true) == lines);
  stop = true;
  answering.join();
}

TEST_P(HandlerTest, DroppedReplyIsAnError) {
  TestServer server(options());
  server.listen([](const tr::Request& request, tr::Reply reply) {
    if (request.text() == "keep") std::move(reply).send("kept");
  });
  server.start();
  Client client(server.url());
  EXPECT_EQ(client.ask("drop"), "ERR internal");
  EXPECT_EQ(client.ask("keep"), "kept");
}

TEST_P(HandlerTest, ReplyAfterTheConnectionAndTheServerHaveGone) {
  std::vector<tr::Reply> kept;
  std::mutex mutex;
  tr::Peer peer;
  {
    TestServer server(options());
    server.listen(
        [&](const tr::Request& request, tr::Reply reply) {
          const std::lock_guard lock(mutex);
          peer = request.peer();
          kept.push_back(std::move(reply));
        },
        {.ordering = tr::Ordering::kPipelined});
    server.start();
    Client client(server.url());
    ASSERT_TRUE(client.send("a\nb\n"));
    ASSERT_TRUE(wait_until([&] {
      const std::lock_guard lock(mutex);
      return kept.size() == 2;
    }));
    EXPECT_TRUE(peer.connected());
    client.reset();
    ASSERT_TRUE(wait_until([&] { return server.stats().closed == 1; }));
    EXPECT_FALSE(peer.connected());
    std::move(kept.back()).send("too late");
    kept.pop_back();
    EXPECT_TRUE(wait_until([&] { return server.stats().stale_ids >= 1; }));
    EXPECT_EQ(server.stats().replies_dropped, 2u);
  }
  std::move(kept.back()).send("much too late");
  EXPECT_EQ(peer.send("nobody"), tr::SendResult::kClosed);
}

TEST_P(BlockingHandlerTest, OthersAreAnsweredMeanwhile) {
  TestServer server(options());
  Gate gate;
  server.listen([gate](const tr::Request& request) -> tr::Answer {
    if (request.text() == "wait") gate.wait();
    return request.own();
  });
  server.start();
  const Gate::Opener opener(gate);
  std::vector<Client> blocked;
  for (size_t i = 0; i < 8; ++i) {
    blocked.emplace_back(server.url());
    ASSERT_TRUE(blocked.back().send("wait\n"));
    ASSERT_TRUE(wait_until([&] { return gate.arrived() == i + 1; }));
    for (int k = 0; k < 4; ++k) ASSERT_EQ(Client(server.url6()).ask("other"), "other");
  }
  gate.open();
  for (Client& client : blocked) EXPECT_EQ(client.line(), "wait");
}

// More handlers block than there are data workers: the others wait, and all are served in the end.
TEST_P(BlockingHandlerTest, MoreThanDataWorkers) {
  tr::ServerOptions few = options();
  few.data_workers = 2;
  TestServer server(few);
  Gate gate;
  server.listen([gate](const tr::Request& request) -> tr::Answer {
    gate.wait();
    return request.own();
  });
  server.start();
  const Gate::Opener opener(gate);
  std::vector<Client> clients;
  for (int i = 0; i < 20; ++i) {
    clients.emplace_back(server.url());
    ASSERT_TRUE(clients.back().send(std::to_string(i) + "\n"));
  }
  ASSERT_TRUE(wait_until([&] { return server.stats().requests == 20 && gate.arrived() >= 2; }));
  support::let_pass(20ms);
  EXPECT_LE(gate.arrived(), 2u + static_cast<size_t>(few.io_workers));
  gate.open();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(clients[i].line(), std::to_string(i));
}

struct Diary {
  std::mutex mutex;
  std::vector<std::string> entries;
  void add(std::string entry) {
    const std::lock_guard lock(mutex);
    entries.push_back(std::move(entry));
  }
  size_t size() {
    const std::lock_guard lock(mutex);
    return entries.size();
  }
  Gate gate;
};

struct Session {
  explicit Session(Diary& where) : diary(where) { diary.add("open"); }
  tr::Answer on_request(const tr::Request& request) {
    diary.add("begin");
    if (request.text() == "wait") diary.gate.wait();
    diary.add("end");
    return request.own();
  }
  void on_close(tr::CloseReason reason) { diary.add("close: " + std::string(to_string(reason))); }
  Diary& diary;
};

TEST_P(BlockingHandlerTest, SessionClosesAfterItsRunningHandler) {
  Diary diary;
  TestServer server(options());
  server.serve<Session>({}, diary);
  server.start();
  const Gate::Opener opener(diary.gate);
  Client client(server.url());
  ASSERT_EQ(client.ask("a"), "a");
  ASSERT_TRUE(client.send("wait\nnot run\n"));
  ASSERT_TRUE(wait_until([&] { return diary.gate.arrived() == 1; }));
  client.reset();
  ASSERT_TRUE(wait_until([&] { return server.closed(tr::CloseReason::kReset) == 1; }));
  EXPECT_EQ(diary.size(), 4u);
  diary.gate.open();
  ASSERT_TRUE(wait_until([&] { return diary.size() == 6; }));
  EXPECT_EQ(diary.entries,
            (std::vector<std::string>{"open", "begin", "end", "begin", "end", "close: reset"}));
}

INSTANTIATE_TEST_SUITE_P(Policies, ThrownTest,
                         ::testing::Values(tr::Dispatch::kInline, tr::Dispatch::kWorkers,
                                           tr::Dispatch::kAdaptive));
INSTANTIATE_TEST_SUITE_P(Setups, HandlerTest, ::testing::ValuesIn(support::every_setup()),
                         support::name_of);
INSTANTIATE_TEST_SUITE_P(Setups, BlockingHandlerTest,
                         ::testing::ValuesIn(support::blocking_setups()), support::name_of);

}  // namespace
