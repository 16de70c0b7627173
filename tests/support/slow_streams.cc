#include "support/slow_streams.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "support/client.h"
#include "support/test_server.h"
#include "support/upload_codec.h"
#include "support/wait.h"

namespace support {
namespace {

constexpr size_t kUploadPieceBytes = 100;

// Reads its body, and says how many bytes it had.
tr::Answer count_bytes(const tr::Request& request) {
  char bytes[1000];
  size_t count = 0;
  while (const size_t more = request.body().read(bytes)) count += more;
  return request.body().ended() ? std::to_string(count) : "cut";
}

// Until `over`: one request after the other, of one client.
void ask_quickly(const std::string& url, const std::atomic<bool>& over, SeenWithSlowStreams& seen) {
  Client client(url);
  while (!over) {
    const Clock::time_point begin = Clock::now();
    if (client.ask("quick") != "0") return;
    ++seen.quick_answered;
    seen.slowest_quick =
        std::max<std::chrono::nanoseconds>(seen.slowest_quick, Clock::now() - begin);
  }
}

}  // namespace

SeenWithSlowStreams run_slow_streams(const SlowStreams& wanted) {
  SeenWithSlowStreams seen;
  tr::ServerOptions options;
  seen.permits = static_cast<size_t>(options.data_workers) / 2;
  std::atomic<size_t> at_work{0}, most{0};
  TestServer server(std::move(options));
  server.listen(
      [&](const tr::Request& request) -> tr::Answer {
        if (request.text() == "quick") return "0";
        const size_t now = ++at_work;
        for (size_t before = most; now > before && !most.compare_exchange_weak(before, now);) {
        }
        tr::Answer answer = count_bytes(request);
        --at_work;
        return answer;
      },
      {}, upload_codec());
  server.start();
  std::atomic<bool> over{false};
  std::thread quick([&] { ask_quickly(server.url(), over, seen); });
  std::vector<Client> clients;
  const std::string total = std::to_string(wanted.pieces * kUploadPieceBytes);
  for (size_t i = 0; i < wanted.uploads; ++i) {
    clients.emplace_back(server.url());
    EXPECT_TRUE(clients.back().send("PUT " + total + "\n"));
  }
  for (size_t piece = 0; piece < wanted.pieces; ++piece) {
    let_pass(wanted.pause);
    for (Client& client : clients) EXPECT_TRUE(client.send(std::string(kUploadPieceBytes, 'x')));
  }
  for (Client& client : clients) seen.uploads_answered += client.line() == total ? 1 : 0;
  over = true;
  quick.join();
  seen.most_at_work = most;
  return seen;
}

}  // namespace support
