// The defect: with Ordering::kPipelined a request could start while on_drain of its session was
// still running, because only the start of on_drain had been waited for. Method: on_drain waits at
// a gate with a request decoded behind it; the request must not arrive.
#include <atomic>
#include <string>
#include <thread>
#include <utility>

#include "support/client.h"
#include "support/gate.h"
#include "support/test_server.h"

namespace {

using support::Client;
using support::Gate;
using support::TestServer;
using support::wait_until;
namespace tr = trireme;

struct Diary {
  Gate first, drain;
  std::atomic<int> beside{0};
};

struct Session {
  static constexpr bool concurrent = true;
  explicit Session(Diary& notes) : diary(notes) {}
  void on_request(const tr::Request& request, tr::Reply reply) {
    if (in_drain) ++diary.beside;
    if (request.text() == "first") diary.first.wait();
    std::move(reply).send(request.own());
  }
  void on_drain() {
    in_drain = true;
    diary.drain.wait();
    in_drain = false;
  }
  Diary& diary;
  std::atomic<bool> in_drain{false};
};

class RequestBesideOnDrain : public support::ServerTest {};

TEST_P(RequestBesideOnDrain, DoesNotHappen) {
  Diary diary;
  TestServer server(options());
  tr::ListenOptions listen{.ordering = tr::Ordering::kPipelined};
  listen.limits.in_flight_max = 1;  // so that the second request waits in the connection
  server.serve<Session>(listen, diary);
  server.start();
  const Gate::Opener first(diary.first), drain(diary.drain);
  Client client(server.url()), other(server.url());
  ASSERT_EQ(other.ask("x"), "x");
  ASSERT_TRUE(client.send("first\nsecond\n"));
  ASSERT_TRUE(wait_until([&] { return diary.first.arrived() == 1; }));
  std::thread draining([&] { EXPECT_TRUE(server.drain().empty()); });
  // The session of `other` is in on_drain: so `client` has been told of the drain, too, or is soon.
  ASSERT_TRUE(wait_until([&] { return diary.drain.arrived() == 1; }));
  diary.first.open();
  ASSERT_TRUE(wait_until([&] { return diary.drain.arrived() == 2; }));
  // Time for a request that should not come. why: there is no event to wait for when it does not.
  support::let_pass(std::chrono::milliseconds(20));
  EXPECT_EQ(diary.beside, 0);
  diary.drain.open();
  other.close();
  EXPECT_EQ(client.receive_all(), "first\nsecond\n");
  client.close();
  draining.join();
  EXPECT_EQ(diary.beside, 0);
}

INSTANTIATE_TEST_SUITE_P(Setups, RequestBesideOnDrain,
                         ::testing::ValuesIn(support::blocking_setups()), support::name_of);

}  // namespace
