// Goal: a file arrives whole however the calls that read and send it fail for a moment, and costs
// one connection where they fail for good. Method: one fault, one file, exact bytes.
#include <cerrno>
#include <fstream>
#include <memory>
#include <string>

#include "fault/faulty_server.h"
#include "support/temporary_folder.h"

namespace fault { namespace {

using support::wait_until;

constexpr size_t kFileBytes = 600'000;

class FileCell : public ::testing::TestWithParam<size_t> {
 protected:
  FileCell() : content_(kFileBytes, '\0') {
    for (size_t i = 0; i < kFileBytes; ++i) content_[i] = static_cast<char>('a' + i * 7 % 26);
    std::ofstream(folder_.file("file")) << content_;
  }

  // A server on `kernel_` that answers every line with the file.
  std::unique_ptr<tr::Server> start() {
    auto server = std::make_unique<tr::Server>(options_of(setups()[GetParam()]), platform_);
    server->listen("tcp://127.0.0.1:0", tr::lines(), [this](const tr::Request&) -> tr::Answer {
      tr::File file;
      if (const std::error_code error = tr::File::open(folder_.file("file"), file))
        return tr::error(error.message());
      return file;
    });
    EXPECT_TRUE(server->start().ok());
    return server;
  }
  static tr::ServerOptions options_of(const support::Setup& setup) {
    tr::ServerOptions options = support::options_of(setup);
    options.log = [](tr::LogLevel, std::string_view) {};
    return options;
  }

  const support::TemporaryFolder folder_;
  std::string content_;
  tr::FaultyKernel kernel_{tr::real_platform().kernel};
  const tr::Platform platform_{kernel_, tr::real_platform().clock, tr::real_platform().threads};
};

TEST_P(FileCell, AMomentsFailureIsInvisible) {
  const auto server = start();
  const tr::FaultyKernel::Fault faults[] = {
      {.site = Site::kReadFile, .error = EAGAIN, .first = 1},  // not in memory
      {.site = Site::kReadFile, .error = EOPNOTSUPP, .first = 2},
      {.site = Site::kReadFile, .error = EINTR, .first = 1, .times = 3},
      {.site = Site::kReadFile, .bytes_max = 1000, .first = 1, .times = 5},
      {.site = Site::kSendFile, .error = EAGAIN, .first = 2},
      {.site = Site::kSendFile, .error = EINTR, .first = 1, .times = 3},
      {.site = Site::kSendFile, .error = ENOMEM, .first = 1, .times = 2},
      {.site = Site::kSendFile, .bytes_max = 777, .first = 1, .times = 20},
  };
  for (const tr::FaultyKernel::Fault& fault : faults) {
    SCOPED_TRACE(std::string(tr::FaultyKernel::name_of(fault.site)) + " " +
                 std::to_string(fault.error));
    const uint64_t before = kernel_.injected(fault.site);
    kernel_.plan(fault);
    Client client(server->urls()[0]);
    EXPECT_TRUE(client.ask("x") == content_);
    EXPECT_GE(kernel_.injected(fault.site), before + 1);
    kernel_.heal();
  }
  EXPECT_TRUE(server->drain().empty());
}

TEST_P(FileCell, OneThatCannotBeReadCostsItsConnection) {
  const auto server = start();
  const tr::FaultyKernel::Fault faults[] = {
      {.site = Site::kReadFile, .error = EIO, .first = 2, .times = kForEver},
      {.site = Site::kReadFile, .error = EAGAIN, .first = 1, .times = kForEver},  // nor by a thread
      {.site = Site::kSendFile, .error = EIO, .first = 2, .times = kForEver},
      {.site = Site::kSendFile, .error = EOVERFLOW, .first = 1, .times = kForEver},
  };
  uint64_t cuts = 0;
  for (const tr::FaultyKernel::Fault& fault : faults) {
    Client other(server->urls()[0]);
    kernel_.plan(fault);
    Client client(server->urls()[0]);
    ASSERT_TRUE(client.send("x\n"));
    EXPECT_LT(client.receive_all().size(), kFileBytes);
    EXPECT_EQ(client.end(), Client::End::kReset);
    ++cuts;
    EXPECT_TRUE(wait_until([&] {
      return server->stats().closed_by_reason[static_cast<size_t>(tr::CloseReason::kFileCut)] ==
             cuts;
    }));
    kernel_.heal();
    EXPECT_TRUE(other.ask("x") == content_);
  }
  kernel_.plan({.site = Site::kOpenFile, .error = EMFILE});
  kernel_.plan({.site = Site::kFileFacts, .error = ENOMEM});
  Client client(server->urls()[0]);
  EXPECT_EQ(client.ask("x"), "ERR Too many open files");
  EXPECT_EQ(client.ask("x"), "ERR Cannot allocate memory");
  EXPECT_TRUE(client.ask("x") == content_);
  client.close();
  EXPECT_TRUE(server->drain().empty());
}

INSTANTIATE_TEST_SUITE_P(Setups, FileCell, ::testing::Range(size_t{0}, setups().size()),
                         [](const ::testing::TestParamInfo<size_t>& made) {
                           return support::name_of({setups()[made.param], 0});
                         });

}  // namespace
}  // namespace fault
