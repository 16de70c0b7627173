// Goal: long bodies are gathered in files, which take little memory, are bounded, and are gone with
// their requests; what cannot be written is refused. Method: whole servers, UploadCodec, a folder
// of the test's own, a limit of the size of files.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include "support/client.h"
#include "support/gate.h"
#include "support/temporary_folder.h"
#include "support/test_server.h"
#include "support/upload_codec.h"
#include "support/wait.h"

namespace tr = trireme;
using support::body_byte;
using support::body_bytes;
using support::Client;
using support::Gate;
using support::TestServer;
using support::upload_codec;
using support::wait_until;

namespace {

class SpoolTest : public support::ServerTest {
 protected:
  tr::ServerOptions spooling() const {
    tr::ServerOptions with = options();
    with.spool_directory = folder_.file("");
    return with;
  }
  const support::TemporaryFolder folder_;
};

tr::Answer check(const tr::Request& request) {
  if (request.text() == "x") return "x";
  std::vector<char> bytes(10'000);
  tr::Body body = request.body();
  uint64_t count = 0, wrong = 0;
  while (const size_t more = body.read(bytes)) {
    for (size_t i = 0; i < more; ++i) wrong += bytes[i] != body_byte(count++) ? 1 : 0;
  }
  const bool is_right = wrong == 0 && body.ended() && body.size() == count;
  return std::to_string(count) + (is_right ? "" : " wrong");
}

TEST_P(SpoolTest, LongBodiesGoThroughFiles) {
  Gate closed;
  TestServer server(spooling());
  const Gate::Opener opener(closed);
  server.listen(
      [&](const tr::Request& request) -> tr::Answer {
        if (request.body().size() > 1'000'000) closed.wait();
        return check(request);
      },
      {}, upload_codec());
  server.start();
  Client client(server.url()), other(server.url());
  for (const uint64_t bytes : {1u, 65'536u, 65'537u, 3'000'000u}) {
    const std::string size = std::to_string(bytes);
    ASSERT_TRUE(client.send("KEEP " + size + "\n" + body_bytes(bytes) + "x\n"));
    if (bytes > 1'000'000) {
      ASSERT_TRUE(wait_until([&] { return server.stats().spool_bytes_now > 2'800'000; }));
      EXPECT_EQ(server.stats().spool_files_now, 1u);
      EXPECT_LT(server.stats().buffer_bytes_now, 2u << 20);
      EXPECT_TRUE(std::filesystem::is_empty(folder_.file(""))) << "they have no names";
    }
    EXPECT_EQ(other.ask("x"), "x");
    if (bytes > 1'000'000) closed.open();
    ASSERT_EQ(client.line(), size);
    ASSERT_EQ(client.line(), "x");
  }
  EXPECT_TRUE(wait_until([&] { return server.stats().spool_files_now == 0; }));
  EXPECT_EQ(server.stats().spool_bytes_now, 0u);
}

TEST_P(SpoolTest, AreBoundedTogether) {
  tr::ServerOptions with = spooling();
  with.spool_bytes_max = 200'000;
  TestServer server(with);
  server.listen(check, {}, upload_codec());
  server.start();
  Client client(server.url());
  ASSERT_TRUE(client.send("KEEP 500000\n" + body_bytes(500'000)));
  EXPECT_EQ(client.line(), "BUSY");
  EXPECT_EQ(client.ask("x"), "x") << "the connection goes on";
  EXPECT_TRUE(wait_until([&] { return server.stats().spool_bytes_now == 0; }));
  ASSERT_TRUE(client.send("KEEP 100000\n" + body_bytes(100'000)));
  EXPECT_EQ(client.line(), "100000");
  EXPECT_TRUE(server.says("a long body cannot be kept"));
}

TEST_P(SpoolTest, AreGoneWithTheirClients) {
  TestServer server(spooling());
  server.listen(check, {}, upload_codec());
  server.start();
  Client client(server.url());
  ASSERT_TRUE(client.send("KEEP 500000\n" + body_bytes(300'000)));
  ASSERT_TRUE(wait_until([&] { return server.stats().spool_bytes_now > 0; }));
  client.reset();
  EXPECT_TRUE(wait_until([&] { return server.stats().spool_files_now == 0; }));
}

TEST_P(SpoolTest, AFolderThatIsNotThereIsNoRoom) {
  tr::ServerOptions with = options();
  with.spool_directory = folder_.file("nowhere");
  TestServer server(with);
  server.listen(check, {}, upload_codec());
  server.start();
  Client client(server.url());
  ASSERT_TRUE(client.send("KEEP 200000\n" + body_bytes(200'000)));
  EXPECT_EQ(client.line(), "BUSY");
  ASSERT_TRUE(client.send("KEEP 1000\n" + body_bytes(1000)));
  EXPECT_EQ(client.line(), "1000") << "short ones need no file";
}

INSTANTIATE_TEST_SUITE_P(Every, SpoolTest, ::testing::ValuesIn(support::blocking_setups()),
                         support::name_of);

// No larger file may be written, as on a disk that is full.
TEST(Spool, AFullDiskIsAnErrorReply) {
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit usual{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &usual), 0);
  TestServer server({.io_workers = 1});
  server.listen(check, {}, upload_codec());
  server.start();
  Client client(server.url());
  const rlimit small{.rlim_cur = 100'000, .rlim_max = usual.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  EXPECT_TRUE(client.send("KEEP 300000\n" + body_bytes(300'000)));
  EXPECT_EQ(client.line(), "BUSY");
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &usual), 0);
  ASSERT_TRUE(client.send("KEEP 300000\n" + body_bytes(300'000)));
  EXPECT_EQ(client.line(), "300000");
}

}  // namespace
