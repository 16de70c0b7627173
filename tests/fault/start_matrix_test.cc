// Goal: whatever fails while a server starts, start() either copes or says why and leaves nothing
// behind; afterwards, on the healed kernel, a server starts and serves.
// Method: the matrix of tests/fault/expectations.h over the calls that start() makes; the kernel
// counts descriptors. Three listeners, so that each call has a first, a second and a third time.
#include <cstring>

#include "fault/faulty_server.h"

namespace fault { namespace {

constexpr uint64_t kPositions[] = {1, 2, 3};
constexpr Site kStartSites[] = {Site::kSocket,       Site::kBind,      Site::kListen,
                                Site::kLocalAddress, Site::kSetOption, Site::kEpollCreate,
                                Site::kEventCreate,  Site::kEpollAdd,  Site::kRaiseDescriptorLimit};

void run_cell(const Cell& cell, const support::Setup& given) {
  support::Setup setup = given;
  setup.io_workers = setup.accepting == tr::Accepting::kLoops ? 3 : 2;  // with the Listener's: 3
  FaultyServer server(setup, 3);
  server.kernel().plan(
      {.site = cell.site, .error = cell.error, .first = cell.first, .times = cell.times});
  const tr::Result<tr::Done> result = server.start();
  const bool met = server.kernel().injected(cell.site) > 0;
  switch (expectation_at_start(cell.site, cell.error).expect) {
    case Expect::kStartFails:
      EXPECT_TRUE(met);
      ASSERT_FALSE(result.ok());
      EXPECT_GT(result.error().message.size(), 20u) << result.error().message;
      EXPECT_EQ(result.error().code, tr::Error::Code::kSystem);
      EXPECT_EQ(server.descriptors_open(), 0u) << result.error().message;
      break;
    case Expect::kInvisible:
      EXPECT_TRUE(met || cell.site == Site::kRaiseDescriptorLimit);  // is called once
      ASSERT_TRUE(result.ok()) << result.error().message;
      EXPECT_TRUE(serves(server.url(0)));
      server.drain();
      break;
    default:
      FAIL() << "no expectation";
  }
  server.kernel().heal();
  const tr::Result<tr::Done> again = server.start();
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_TRUE(serves(server.url(1)));
}

class StartMatrix : public ::testing::TestWithParam<Site> {};

TEST_P(StartMatrix, EveryCell) {
  size_t count = 0;
  for (const Cell& cell : cells_of(GetParam(), kPositions)) {
    SCOPED_TRACE(describe(cell));
    auto all = setups_of(GetParam());
    if (GetParam() == Site::kSetOption) all = all.subspan(2);  // see PortThatCannotBeShared
    run_cell(cell, all[count++ % all.size()]);
  }
  RecordProperty("cells", static_cast<int>(count));
  EXPECT_GT(count, 0u);
}

std::string name_of(const ::testing::TestParamInfo<Site>& info) {
  std::string name(tr::FaultyKernel::name_of(info.param));
  std::erase_if(name, [](char c) { return c == '(' || c == ')'; });
  return name;
}

INSTANTIATE_TEST_SUITE_P(Sites, StartMatrix, ::testing::ValuesIn(kStartSites), name_of);

// "Every address" falls back to IPv4 where IPv6 is missing; an IPv6 address by name does not.
class MissingIpv6 : public ::testing::TestWithParam<std::pair<Site, int>> {};

TEST_P(MissingIpv6, FallsBackOnlyWhenNoHostIsNamed) {
  const auto [site, error] = GetParam();
  for (const bool named : {false, true}) {
    tr::FaultyKernel kernel(tr::real_platform().kernel);
    const tr::Platform platform{kernel, tr::real_platform().clock, tr::real_platform().threads};
    tr::Server server(tr::ServerOptions{.io_workers = 1}, platform);
    // why: no fixed port: the port is 0 in both.
    server.listen(named ? "tcp://[::1]:0" : "tcp://:0", tr::lines(), support::mark);
    kernel.plan({.site = site, .error = error});
    const tr::Result<tr::Done> result = server.start();
    ASSERT_EQ(result.ok(), !named);
    if (named) {
      EXPECT_NE(result.error().message.find("[::1]"), std::string::npos) << result.error().message;
    } else {
      const std::string url = server.urls()[0];
      ASSERT_EQ(url.rfind("tcp://0.0.0.0:", 0), 0u) << url;
      EXPECT_EQ(Client("tcp://127.0.0.1" + url.substr(url.rfind(':'))).ask("a"), "<a>");
    }
  }
}

// Not only the destructor: who keeps the object of a server that did not start keeps no descriptor.
TEST(StartFailure, HoldsNothingWhileTheServerLives) {
  tr::FaultyKernel kernel(tr::real_platform().kernel);
  const tr::Platform platform{kernel, tr::real_platform().clock, tr::real_platform().threads};
  tr::Server server(tr::ServerOptions{.io_workers = 2}, platform);
  server.listen("tcp://127.0.0.1:0", tr::lines(), support::mark);
  kernel.plan({.site = Site::kListen, .error = EADDRINUSE});
  ASSERT_FALSE(server.start().ok());
  EXPECT_EQ(kernel.descriptors_opened(), kernel.descriptors_closed());
}

// The one option that loops which accept by themselves cannot do without.
TEST(StartFailure, PortThatCannotBeShared) {
  for (const uint64_t refused : {3u, 6u}) {  // behind REUSEADDR and NODELAY, of two sockets
    tr::FaultyKernel kernel(tr::real_platform().kernel);
    const tr::Platform platform{kernel, tr::real_platform().clock, tr::real_platform().threads};
    tr::Server server(tr::ServerOptions{.io_workers = 2}, platform);
    server.listen("tcp://127.0.0.1:0", tr::lines(), support::mark,
                  {.accepting = tr::Accepting::kLoops});
    kernel.plan({.site = Site::kSetOption, .error = ENOPROTOOPT, .first = refused});
    const tr::Result<tr::Done> result = server.start();
    ASSERT_FALSE(result.ok());
    if (refused == 3) {
      EXPECT_NE(result.error().message.find("SO_REUSEPORT"), std::string::npos);
    }
    EXPECT_EQ(kernel.descriptors_opened(), kernel.descriptors_closed());
  }
}

INSTANTIATE_TEST_SUITE_P(Ways, MissingIpv6,
                         ::testing::Values(std::pair(Site::kSocket, EAFNOSUPPORT),
                                           std::pair(Site::kBind, EADDRNOTAVAIL)));

}  // namespace
}  // namespace fault
