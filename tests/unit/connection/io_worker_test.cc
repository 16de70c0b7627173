// Goal: what an I/O worker does in an order that a Conversation cannot bring about: a client that
// is adopted while the server drains, and one whose input ends behind full buffers. Method: one I/O
// worker without crew on a real epoll driver and a socket pair, turned by the test.
#include "connection/io_worker.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>
#include <string>

#include "runtime/drivers/readiness_driver.h"
#include "server_stats.h"

namespace trireme { inline namespace v0 { namespace {

// Parametrized over edge-triggered or not.
class Working : public ::testing::TestWithParam<DriverKind> {
 protected:
  void serve(std::shared_ptr<detail::Service> service, ListenOptions options = {}) {
    auto listening = std::make_unique<Listening>();
    listening->codec = lines();
    listening->has_session = service->has_session();
    listening->service = std::move(service);
    listening->options = std::move(options);
    listening->prepare(Dispatch::kInline);
    listenings_.push_back(std::move(listening));
    ServerOptions server_options;
    server_options.dispatch = Dispatch::kInline;
    context_ = ContextRef(new ServerContext(real_platform(), server_options, 1, 4));
    EventLoop& loop = context().loop(0);
    auto driver = std::make_unique<ReadinessDriver>(real_platform().kernel, context().buffers,
                                                    loop.counters, GetParam());
    ASSERT_EQ(driver->open(), 0);
    loop.use_driver(std::move(driver));
    worker_ = std::make_unique<IoWorker>(context(), 0, listenings_);
  }
  void TearDown() override {
    post(kMailDrain);
    post(kMailCut);
    worker_->turn_until_idle();
    worker_->turn_until_idle();
    const Stats stats = collect_stats(context(), 0);
    EXPECT_EQ(stats.slots_made, stats.slots_gone);
    EXPECT_EQ(stats.timers_made, stats.timers_gone);
    worker_.reset();
    if (client_ >= 0) ::close(client_);
  }

  ServerContext& context() { return *context_.get(); }
  void post(MailKind kind) { context().loop(0).post(std::make_unique<PlainMail>(kind)); }
  void adopt() {
    int both[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, both), 0);
    client_ = both[0];
    context().books(0).accepted.add();
    ASSERT_TRUE(context().places.enter());
    context().loop(0).post(std::make_unique<AdoptMail>(both[1], 0, SocketAddress{}));
  }
  // Turns until the client sees the end of the stream, or for five seconds. Returns what it heard.
  std::string hear_all() {
    std::string all;
    char buffer[4096];
    const TimePoint deadline = real_platform().clock.now() + std::chrono::seconds(5);
    while (real_platform().clock.now() < deadline) {
      worker_->turn_until_idle();
      const ssize_t bytes = ::recv(client_, buffer, sizeof(buffer), 0);
      if (bytes == 0) return all + "|end";
      if (bytes > 0) all.append(buffer, static_cast<size_t>(bytes));
    }
    return all + "|in vain";
  }

  std::vector<std::unique_ptr<Listening>> listenings_;
  ContextRef context_;
  std::unique_ptr<IoWorker> worker_;
  int client_ = -1;
};
std::string name_of_driver(const ::testing::TestParamInfo<DriverKind>& one) {
  constexpr const char* kNames[] = {"epoll", "epoll_et", "poll", "select"};
  return kNames[static_cast<size_t>(one.param)];
}
INSTANTIATE_TEST_SUITE_P(Drivers, Working,
                         ::testing::Values(DriverKind::kEpoll, DriverKind::kEpollEdge,
                                           DriverKind::kPoll, DriverKind::kSelect),
                         name_of_driver);

struct Refusing {
  Refusing() { throw std::runtime_error("no"); }
  void on_drain() { ++calls_without_session; }
  void on_close(CloseReason) { ++calls_without_session; }
  static inline int calls_without_session = 0;
};

// What an idle connection costs is these two, and less than 8 bytes around them: with no session,
// 256 bytes were promised.
TEST(IdleConnection, IsSmall) { EXPECT_LE(sizeof(Connection) + sizeof(SlotRecord), 240u); }

TEST_P(Working, ASessionThatWasNeverMadeIsNotToldOfTheDrain) {
  Refusing::calls_without_session = 0;
  serve(std::make_shared<detail::SessionService<Refusing>>());
  post(kMailDrain);
  adopt();
  EXPECT_EQ(hear_all(), "|end");
  EXPECT_EQ(Refusing::calls_without_session, 0);
}

struct Telling {
  explicit Telling(Peer peer) : peer_(std::move(peer)) {}
  Answer on_request(const Request& request) { return request.own(); }
  void on_drain() { peer_.send("drain\n"); }
  Peer peer_;
};

TEST_P(Working, AClientThatIsAdoptedWhileDrainingIsStillAnswered) {
  serve(std::make_shared<detail::SessionService<Telling>>());
  post(kMailDrain);
  adopt();
  ASSERT_EQ(::send(client_, "a\nb\n", 4, MSG_NOSIGNAL), 4);
  EXPECT_EQ(hear_all(), "drain\na\nb\n|end");
}

TEST_P(Working, AnEndBehindALargeInputIsSeen) {
  auto count = [](const Request& request) { return std::to_string(request.text().size()); };
  serve(std::make_shared<detail::HandlerService<decltype(count)>>(count));
  adopt();
  const std::string large = std::string(100'000, 'x') + "\nlast\n";
  const int room = 1 << 20;
  ::setsockopt(client_, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
  ASSERT_EQ(::send(client_, large.data(), large.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(large.size()));
  ASSERT_EQ(::shutdown(client_, SHUT_WR), 0);
  EXPECT_EQ(hear_all(), "100000\n4\n|end");
  worker_->turn_until_idle();
  EXPECT_EQ(collect_stats(context(), 0).closed, 1u) << "nothing to linger for: both have ended";
}

TEST_P(Working, AnEndThatComesWhileReadingIsHeldBackIsSeen) {
  std::vector<Reply> replies;
  auto keep = [&replies](const Request&, Reply reply) { replies.push_back(std::move(reply)); };
  ListenOptions options;
  options.limits.read_ahead_bytes_max = 1;
  serve(std::make_shared<detail::HandlerService<decltype(keep)>>(keep), options);
  adopt();
  ASSERT_EQ(::send(client_, "1\n2\n", 4, MSG_NOSIGNAL), 4);
  worker_->turn_until_idle();
  worker_->turn_until_idle();
  EXPECT_EQ(replies.size(), 1u);
  ASSERT_EQ(::send(client_, "3\n", 2, MSG_NOSIGNAL), 2);
  ASSERT_EQ(::shutdown(client_, SHUT_WR), 0);
  worker_->turn_until_idle();
  EXPECT_GE(collect_stats(context(), 0).reads_paused, 1u);
  for (size_t i = 0; i < 3; ++i) {
    ASSERT_GT(replies.size(), i);
    std::move(replies[i]).send("ok");
    worker_->turn_until_idle();
    worker_->turn_until_idle();
  }
  EXPECT_EQ(hear_all(), "ok\nok\nok\n|end");
}

}  // namespace
}}  // namespace trireme
