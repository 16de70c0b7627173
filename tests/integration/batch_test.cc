// Goal: requests that arrive together on a serial connection run in one job, and nobody can tell
// but by the cost: each reply leaves when it is there, in order, and no request is lost or run
// twice. Method: clients that pipeline into handlers that wait at a gate, answer late, push or
// switch codec in the middle of what arrived together.
#include <atomic>
#include <mutex>
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

std::string numbered(int from, int to) {
  std::string lines;
  for (int i = from; i < to; ++i) lines += std::to_string(i) + "\n";
  return lines;
}

class BatchTest : public support::ServerTest {};
class BlockingBatchTest : public support::ServerTest {};

// Ten requests in one segment, the sixth blocks: the first five are answered meanwhile.
TEST_P(BlockingBatchTest, FinishedRepliesDoNotWaitForALaterRequest) {
  TestServer server(options());
  Gate gate;
  server.listen([gate](const tr::Request& request) -> tr::Answer {
    if (request.text() == "5") gate.wait();
    return request.own();
  });
  server.start();
  const Gate::Opener opener(gate);
  Client client(server.url());
  ASSERT_TRUE(client.send(numbered(0, 10)));
  for (int i = 0; i < 5; ++i) ASSERT_EQ(client.line(), std::to_string(i));
  ASSERT_TRUE(wait_until([&] { return gate.arrived() == 1; }));
  // What arrives meanwhile goes behind what was given back.
  ASSERT_TRUE(client.send(numbered(10, 400)));
  client.shutdown_write();
  gate.open();
  EXPECT_EQ(client.receive_all(), numbered(5, 400));
  const tr::Stats stats = server.stats();
  EXPECT_EQ(stats.requests, 400u);
  EXPECT_EQ(stats.replies, 400u);
}

// Each request is handled once, whatever the ones before it did to their batch.
TEST_P(BatchTest, WhatIsGivenBackRunsOnce) {
  TestServer server(options());
  std::mutex mutex;
  std::vector<tr::Reply> late;
  std::atomic<int> handled{0};
  server.listen([&](const tr::Request& request, tr::Reply reply) {
    ++handled;
    const std::string text = request.own();
    if (text == "throw") throw 1;
    if (text == "error") return std::move(reply).send(tr::error("no"));
    if (text == "large") return std::move(reply).send(std::string(5000, 'x'));
    if (text == "late") {
      const std::lock_guard lock(mutex);
      return late.push_back(std::move(reply));
    }
    if (text == "push") (void)request.peer().send("pushed\n");
    std::move(reply).send(text);
  });
  server.start();
  std::thread answering([&] {
    for (int answered = 0; answered < 2;) {
      std::vector<tr::Reply> due;
      {
        const std::lock_guard lock(mutex);
        due.swap(late);
      }
      for (tr::Reply& reply : due) std::move(reply).send("late");
      answered += static_cast<int>(due.size());
      std::this_thread::yield();
    }
  });
  Client client(server.url());
  EXPECT_EQ(client.converse("a\nb\npush\nc\nthrow\nd\ne\nlate\nf\nlarge\ng\nerror\nh\nlate\nlast\n",
                            true),
            "a\nb\npushed\npush\nc\nERR internal\nd\ne\nlate\nf\n" + std::string(5000, 'x') +
                "\ng\nERR no\nh\nlate\nlast\n");
  answering.join();
  EXPECT_EQ(handled, 15);
  EXPECT_EQ(server.stats().requests, 15u);
}

// The bytes behind a switch belong to the next codec, although they have been cut into lines.
TEST_P(BatchTest, ASwitchOfCodecTakesBackWhatWasDecoded) {
  TestServer server(options());
  server.listen([](const tr::Request& request) -> tr::Answer {
    if (request.text() == "raw") return tr::Answer("switched").then(tr::bytes());
    return "<" + request.own() + ">";
  });
  server.start();
  Client client(server.url());
  EXPECT_EQ(client.converse("a\nb\nraw\nc\nd\ne\n", true), "<a>\n<b>\nswitched\n<c\nd\ne\n>");
}

TEST_P(BatchTest, NothingRunsBehindAClosingAnswer) {
  TestServer server(options());
  std::atomic<int> handled{0};
  server.listen([&](const tr::Request& request) -> tr::Answer {
    ++handled;
    if (request.text() == "bye") return tr::Answer("bye").close_after();
    return request.text();
  });
  server.start();
  Client client(server.url());
  EXPECT_EQ(client.converse("a\nbye\nb\nc\n"), "a\nbye\n");
  EXPECT_EQ(handled, 2);
}

INSTANTIATE_TEST_SUITE_P(Setups, BatchTest, ::testing::ValuesIn(support::every_setup()),
                         support::name_of);
INSTANTIATE_TEST_SUITE_P(Setups, BlockingBatchTest, ::testing::ValuesIn(support::blocking_setups()),
                         support::name_of);

}  // namespace
