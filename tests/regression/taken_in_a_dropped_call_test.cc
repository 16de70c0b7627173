// The defect: what was taken of a pool and moved into a call of a session was given back by the
// loop when the connection of that session was gone, and the process ended: loop code must not
// block. Method: the client of the called session goes before the call is opened; then the pool is
// used.
#include <atomic>
#include <string>

#include "support/client.h"
#include "support/test_server.h"
#include "support/wait.h"
#include "trireme/pool.h"

namespace {

using support::Client;
using support::TestServer;
using support::wait_until;
namespace tr = trireme;

struct Hall {
  std::atomic<int> checks{0}, opened{0};
  tr::Pool<int> pool{{.make = [](std::chrono::nanoseconds) -> tr::Result<int> { return 1; },
                      .check_returned =
                          [this](int&) {
                            ++checks;
                            return true;
                          },
                      .count_max = 1}};
  tr::Peer called;
  std::atomic<bool> is_known{false};
};

struct CalledSession {
  CalledSession(tr::Peer peer, Hall& given) : self(peer), hall(given) {}
  tr::Answer on_request(const tr::Request& request) {
    if (request.text() == "me") {
      hall.called = self;
      hall.is_known = true;
      return "known";
    }
    auto taken = hall.pool.take();
    if (!taken) return taken.refusal();
    hall.called.call<CalledSession>(
        [taken = std::move(taken)](CalledSession& session) { ++session.hall.opened; });
    // The call is in the outbox until the handler returns: its client goes meanwhile.
    wait_until([&] { return !hall.called.connected(); });
    return request.own();
  }
  tr::Peer self;
  Hall& hall;
};

class TakenInADroppedCall : public support::ServerTest {};

TEST_P(TakenInADroppedCall, GoesBackAndIsCheckedByTheNextTaker) {
  Hall hall;
  TestServer server(options());
  server.serve<CalledSession>({}, hall);
  server.start();
  Client client(server.url());
  {
    Client goes(server.url());
    ASSERT_EQ(goes.ask("me"), "known");
    ASSERT_TRUE(client.send("call\n"));
    ASSERT_TRUE(wait_until([&] { return hall.pool.stats().in_use == 1; }));
  }
  EXPECT_EQ(client.line(), "call");
  EXPECT_TRUE(wait_until([&] { return hall.pool.stats().idle == 1; }));
  EXPECT_EQ(hall.opened, 0);
  EXPECT_EQ(hall.checks, 0) << "nothing may block on a loop";
  EXPECT_FALSE(hall.pool.try_take());
  EXPECT_TRUE(hall.pool.take());
  EXPECT_EQ(hall.checks, 2) << "before it is used again, and when it comes back";
}

INSTANTIATE_TEST_SUITE_P(Setups, TakenInADroppedCall,
                         ::testing::ValuesIn(support::blocking_setups()), support::name_of);

}  // namespace
