// Goal: a part of a file arrives as it is in the file, from every driver, wherever handlers run,
// through layers and in its turn; a file that becomes shorter is a cut that its client sees.
// Method: files of random bytes, clients that read at once or slowly, a file that is cut while it
// waits in a write queue.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/client.h"
#include "support/knock_layer.h"
#include "support/temporary_folder.h"
#include "support/test_server.h"

namespace {

using support::Client;
using support::TestServer;
using support::wait_until;
namespace tr = trireme;

std::string bytes_of_file(size_t size) {
  std::string bytes(size, '\0');
  uint32_t state = 7;
  for (char& byte : bytes) {
    state = state * 1'664'525 + 1'013'904'223;
    byte = static_cast<char>(state >> 24);
  }
  return bytes;
}

// "PATH OFFSET BYTES", or a line that is echoed.
tr::Answer give(const tr::Request& request) {
  const std::string text = request.own();
  if (!text.starts_with("/")) return text;
  const size_t first = text.find(' ');
  tr::FileRange range;
  const std::error_code error = tr::File::open(text.substr(0, first), range.file);
  if (error) return tr::error(error.message());
  if (first != text.npos) {
    size_t used = 0;
    range.offset = std::stoull(text.substr(first + 1), &used);
    range.bytes = std::stoull(text.substr(first + 1 + used));
  }
  return range;
}

class FilesTest : public support::ServerTest {
 protected:
  FilesTest() : content_(bytes_of_file(3 << 20)), path_(folder_.file("large")) {
    write(path_, content_);
  }
  static void write(const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
  }
  std::string ask(uint64_t offset, uint64_t bytes) const {
    return path_ + " " + std::to_string(offset) + " " + std::to_string(bytes) + "\n";
  }

  support::TemporaryFolder folder_;
  const std::string content_;
  const std::string path_;
};

TEST_P(FilesTest, AnswerInTheirTurn) {
  for (const tr::Ordering ordering : {tr::Ordering::kSerial, tr::Ordering::kPipelined}) {
    TestServer server(options());
    server.listen(give, {.ordering = ordering});
    server.start();
    Client client(server.url());
    std::string sent, wanted;
    const std::pair<uint64_t, uint64_t> parts[] = {{0, 10},
                                                   {5, 0},
                                                   {100, 16 << 10},
                                                   {7, (16 << 10) + 1},
                                                   {1 << 20, 2 << 20},
                                                   {3 << 20, 9},
                                                   {(3 << 20) - 3, 100},
                                                   {1, 300'000}};
    for (const auto& [offset, bytes] : parts) {
      sent += ask(offset, bytes) + "between\n";
      wanted += content_.substr(offset, bytes) + "\nbetween\n";
    }
    sent += path_ + "\n/nothing/here\n";
    wanted += content_ + "\nERR No such file or directory\n";
    EXPECT_TRUE(client.converse(sent, true) == wanted);
  }
}

TEST_P(FilesTest, ASlowReaderGetsAllOfIt) {
  TestServer server(options());
  server.listen(give);
  server.start();
  Client client(server.url(), {.receive_buffer_bytes = 4096});
  ASSERT_TRUE(client.send(path_ + "\nafterwards\n"));
  EXPECT_TRUE(wait_until([&] { return server.stats().requests >= 1; }));
  std::string got;
  while (got.size() < content_.size()) {
    const std::string more = client.receive(std::min<size_t>(50'000, content_.size() - got.size()));
    if (more.empty()) break;
    got += more;
  }
  EXPECT_TRUE(got == content_);
  EXPECT_EQ(client.line(), "");
  EXPECT_EQ(client.line(), "afterwards");
}

TEST_P(FilesTest, GoThroughLayers) {
  TestServer server(options());
  tr::ListenOptions listen;
  listen.layers = {std::make_shared<support::KnockFactory>()};
  server.listen(give, listen);
  server.start();
  Client client(server.url(), {.receive_buffer_bytes = 8192});
  ASSERT_TRUE(client.send(support::kKnock));
  ASSERT_EQ(client.receive(support::kWelcome.size()), support::kWelcome);
  const std::string sent = path_ + "\nbetween\n" + ask(10, 100'000);
  const std::string wanted = content_ + "\nbetween\n" + content_.substr(10, 100'000) + "\n";
  EXPECT_TRUE(client.converse(support::turned(sent) + support::kBye, true) ==
              support::turned(wanted) + support::kBye);
}

// The client has begun to read: what it gets must not look like the whole.
TEST_P(FilesTest, OneThatBecomesShorterIsACut) {
  TestServer server(options());
  server.listen(give);
  server.start();
  const std::string path = folder_.file("cut");
  write(path, bytes_of_file(32 << 20));
  Client client(server.url(), {.receive_buffer_bytes = 4096});
  ASSERT_TRUE(client.send(path + "\n"));
  ASSERT_EQ(client.receive(1000).size(), 1000u);
  std::filesystem::resize_file(path, 1000);
  EXPECT_LT(client.receive_all().size(), size_t{32 << 20});
  EXPECT_EQ(client.end(), Client::End::kReset);
  EXPECT_TRUE(wait_until([&] { return server.closed(tr::CloseReason::kFileCut) == 1; }));
  EXPECT_TRUE(server.says("has become shorter"));
}

TEST_P(FilesTest, ADrainWaitsForThem) {
  TestServer server(options());
  server.listen(give);
  server.start();
  Client client(server.url(), {.receive_buffer_bytes = 4096});
  ASSERT_TRUE(client.send(path_ + "\n"));
  ASSERT_EQ(client.receive(1), content_.substr(0, 1));
  std::vector<tr::StuckJob> stuck;
  std::thread drains([&] { stuck = server.drain(); });
  EXPECT_TRUE(client.receive_all() == content_.substr(1) + "\n");
  client.close();
  drains.join();
  EXPECT_TRUE(stuck.empty());
  EXPECT_EQ(server.closed(tr::CloseReason::kDrained), 1u);
}

INSTANTIATE_TEST_SUITE_P(Setups, FilesTest, ::testing::ValuesIn(support::every_setup()),
                         support::name_of);

TEST(Files, TellWhatTheyAre) {
  const support::TemporaryFolder folder;
  tr::File file;
  EXPECT_FALSE(file);
  EXPECT_EQ(tr::File::open(folder.file("none"), file), std::errc::no_such_file_or_directory);
  EXPECT_EQ(tr::File::open(folder.file(""), file), std::errc::is_a_directory);
  EXPECT_EQ(tr::File::open("/dev/null", file), std::errc::invalid_argument);
  EXPECT_EQ(file.descriptor(), -1);
  std::ofstream(folder.file("some")) << "12345";
  const size_t before = support::open_descriptors();
  ASSERT_FALSE(tr::File::open(folder.file("some"), file));
  EXPECT_TRUE(file);
  EXPECT_EQ(file.size(), 5u);
  EXPECT_GT(file.modified().time_since_epoch().count(), 0);
  const tr::Answer answer(tr::FileRange{file, 3, 100});
  EXPECT_EQ(answer.body_bytes(), 2u);
  EXPECT_EQ(answer.text(), "");
  EXPECT_EQ(support::open_descriptors(), before + 1);
  tr::File other;
  ASSERT_FALSE(tr::File::adopt(::dup(file.descriptor()), other));
  EXPECT_EQ(other.inode(), file.inode());
  EXPECT_EQ(other.device(), file.device());
  EXPECT_EQ(tr::File::adopt(-1, other), std::errc::bad_file_descriptor);
}

}  // namespace
