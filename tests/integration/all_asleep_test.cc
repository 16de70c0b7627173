// Goal: when every data worker is in a handler that does not return and the flood goes on, what was
// promised not to block is answered as before, and memory is bounded.
// Method: a gate, few data workers, clients that pipeline against it.
#include <memory>
#include <string>
#include <vector>

#include "support/client.h"
#include "support/gate.h"
#include "support/lines_codec.h"
#include "support/test_server.h"

namespace {

using support::Client;
using support::Gate;
using support::wait_until;
namespace tr = trireme;
using namespace std::chrono_literals;

// Lines; the kind of a request is its first byte.
class KindOfFirstByte final : public support::LinesCodec {
 public:
  tr::Frame decode(tr::DecodeState& state, std::string_view input, bool ended,
                   size_t frame_bytes_max) const override {
    tr::Frame frame = LinesCodec::decode(state, input, ended, frame_bytes_max);
    if (!frame.payload.empty()) frame.request_kind = static_cast<uint32_t>(frame.payload[0] - '0');
    return frame;
  }
};

class AllDataWorkersAsleep : public ::testing::TestWithParam<tr::Dispatch> {};

TEST_P(AllDataWorkersAsleep, WhatDoesNotBlockIsAnswered) {
  constexpr size_t kDataWorkers = 3;
  constexpr size_t kBytesMax = 8 << 20;
  tr::Server server({.io_workers = 1,
                     .data_workers = kDataWorkers,
                     .dispatch = GetParam(),
                     .buffer_bytes_max = kBytesMax,
                     .log = [](tr::LogLevel, std::string_view) {}});
  Gate gate;
  const auto handler = [gate](const tr::Request& request) -> tr::Answer {
    if (request.text() == "1") gate.wait();
    return request.own();
  };
  const auto codec = std::make_shared<KindOfFirstByte>();
  server.listen("tcp://127.0.0.1:0", codec, handler,
                {.pinned_kinds = {{.kind = 2, .dispatch = tr::Dispatch::kInline}}});
  server.listen("tcp://127.0.0.1:0", tr::lines(), handler, {.dispatch = tr::Dispatch::kInline});
  ASSERT_TRUE(server.start().ok());
  const Gate::Opener opener(gate);
  const std::string flooded = server.urls()[0], status = server.urls()[1];

  std::vector<Client> clients;
  std::string burst;
  for (int i = 0; i < 500; ++i) burst += "1\n";
  // With `adaptive` the holder of the loop may be one more.
  for (size_t i = 0; i < 40; ++i) {
    clients.emplace_back(flooded);
    ASSERT_TRUE(clients.back().send(burst));
  }
  ASSERT_TRUE(wait_until([&] { return gate.arrived() >= kDataWorkers; }));
  for (int i = 0; i < 50; ++i) {
    ASSERT_EQ(Client(status).ask("hello"), "hello");
    if (GetParam() == tr::Dispatch::kAdaptive) {
      ASSERT_EQ(Client(flooded).ask("2"), "2");
    }
    const tr::Stats stats = server.stats();
    ASSERT_LE(stats.buffer_bytes_now, kBytesMax);
    ASSERT_LE(stats.data_workers, kDataWorkers + 1);
  }
  gate.open();
  for (Client& client : clients) ASSERT_EQ(client.receive(2), "1\n");
}

INSTANTIATE_TEST_SUITE_P(Policies, AllDataWorkersAsleep,
                         ::testing::Values(tr::Dispatch::kWorkers, tr::Dispatch::kAdaptive),
                         [](const auto& given) {
                           return std::string(given.param == tr::Dispatch::kWorkers ? "Workers"
                                                                                    : "Adaptive");
                         });

}  // namespace
