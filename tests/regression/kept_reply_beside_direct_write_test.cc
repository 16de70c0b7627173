// The defect: the first of two requests had its answer, the second kept its Reply. The data worker
// wrote the first answer itself; the second, given by another thread at that moment, found the send
// direction taken and was dropped, and the connection waited for it for ever.
// Method: many rounds, in which another thread answers as soon as it can.
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>

#include "support/client.h"
#include "support/test_server.h"

namespace {

using support::Client;
using support::TestServer;
namespace tr = trireme;

class KeptReplyBesideDirectWrite : public support::ServerTest {};

TEST_P(KeptReplyBesideDirectWrite, IsAnswered) {
  TestServer server(options());
  std::mutex mutex;
  std::optional<tr::Reply> kept;
  server.listen([&](const tr::Request& request, tr::Reply reply) {
    if (request.text() != "keep") return std::move(reply).send(request.own());
    const std::lock_guard lock(mutex);
    kept.emplace(std::move(reply));
  });
  server.start();
  const std::jthread answering([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      std::optional<tr::Reply> due;
      {
        const std::lock_guard lock(mutex);
        due.swap(kept);
      }
      if (due) std::move(*due).send("kept");
    }
  });
  Client client(server.url());
  for (int i = 0; i < support::scaled(2000); ++i) {
    // Batches grow while they run whole: without that there is one request a job.
    const std::string lines = "a\nb\nc\nd\n";
    ASSERT_TRUE(client.send(lines + lines + lines + lines));
    for (int j = 0; j < 16; ++j) ASSERT_EQ(client.line(), std::string(1, "abcd"[j % 4]));
    ASSERT_TRUE(client.send("a\nkeep\n"));
    ASSERT_EQ(client.line(), "a");
    ASSERT_EQ(client.line(), "kept") << "round " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Setups, KeptReplyBesideDirectWrite,
                         ::testing::ValuesIn(support::setups_of(tr::Dispatch::kWorkers)),
                         support::name_of);

}  // namespace
