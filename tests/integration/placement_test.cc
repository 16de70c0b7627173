// Goal: under `adaptive` a kind of request that blocks moves to data workers and one that does not
// stays on the loop, on one connection; the statistics say so; a pinned kind stays where it is.
// Method: a codec that tags lines by their first letter, and handlers that tell their thread.
#include <memory>
#include <string>

#include "support/client.h"
#include "support/lines_codec.h"
#include "support/test_server.h"

namespace {

using support::Client;
using support::TestServer;
namespace tr = trireme;
using namespace std::chrono_literals;

// Lines; those that begin with `b` are of kind 1, the others of kind 0.
class TaggedLines final : public support::LinesCodec {
 public:
  tr::Frame decode(tr::DecodeState& state, std::string_view input, bool ended,
                   size_t frame_bytes_max) const override {
    tr::Frame frame = LinesCodec::decode(state, input, ended, frame_bytes_max);
    if (frame.payload.starts_with('b')) frame.request_kind = 1;
    return frame;
  }
};

tr::Answer thread_name(const tr::Request& request) {
  if (request.text() == "blocks") support::let_pass(5ms);
  char name[16] = "";
  pthread_getname_np(pthread_self(), name, sizeof(name));
  return std::string(name);
}

const tr::KindStats* find_kind(const tr::Stats& stats, uint32_t kind) {
  for (const tr::KindStats& one : stats.kinds) {
    if (one.kind == kind && !one.callbacks) return &one;
  }
  return nullptr;
}

class PlacementTest : public support::ServerTest {};

TEST_P(PlacementTest, AKindThatBlocksMovesTheOthersStay) {
  TestServer server(options());
  server.listen(thread_name, {.name = "tagged"}, std::make_shared<TaggedLines>());
  server.start();
  Client client(server.url());
  for (int i = 0; i < 20; ++i) ASSERT_NE(client.ask("blocks"), "");
  const std::string name = client.ask("blocks");
#ifndef TRIREME_FORCE_HANDOVER  // there a thread is renamed only when its handler has returned
  EXPECT_TRUE(name.starts_with("data-")) << name;
#endif
  // A job that has sent its reply itself comes home in its own time, and is counted there.
  tr::Stats stats;
  const tr::KindStats* blocking = nullptr;
  ASSERT_TRUE(support::wait_until([&] {
    stats = server.stats();
    blocking = find_kind(stats, 1);
    return blocking != nullptr &&
           blocking->requests_inline + blocking->requests_on_data_workers == 21;
  }));
  EXPECT_EQ(blocking->service, "tagged");
  EXPECT_EQ(blocking->loops_on_data_workers, 1u);
  EXPECT_GT(blocking->cost, 4us);  // a hop
#ifndef TRIREME_FORCE_HANDOVER
  EXPECT_LE(stats.hand_overs, 5u);  // the first, and what the machine itself delays
  for (int i = 0; i < 50; ++i) ASSERT_NE(client.ask("a"), "");
  const tr::Stats after = server.stats();
  const tr::KindStats* other = find_kind(after, 0);
  ASSERT_NE(other, nullptr);
  EXPECT_GE(other->requests_inline, 40u);
#endif
}

TEST_P(PlacementTest, APinnedKindStays) {
  TestServer server(options());
  server.listen(thread_name,
                {.pinned_kinds = {{.kind = 0, .dispatch = tr::Dispatch::kWorkers},
                                  {.kind = 1, .dispatch = tr::Dispatch::kInline}}},
                std::make_shared<TaggedLines>());
  server.start();
  Client client(server.url());
  for (int i = 0; i < 20; ++i) {
    const std::string name = client.ask("a");
#ifndef TRIREME_FORCE_HANDOVER
    ASSERT_TRUE(name.starts_with("data-")) << name;
#endif
  }
  for (int i = 0; i < 5; ++i) ASSERT_NE(client.ask("blocks"), "");
  const tr::Stats stats = server.stats();
  ASSERT_NE(find_kind(stats, 1), nullptr);
  EXPECT_TRUE(find_kind(stats, 1)->pinned);
  EXPECT_EQ(find_kind(stats, 1)->loops_on_data_workers, 0u);
  // One that comes before the loop has its reserve runs to its end.
  EXPECT_TRUE(support::wait_until([&] {
    client.ask("blocks");
    return server.stats().hand_overs >= 1;
  }));
}

TEST(PlacementOptions, ABadPinIsAStartError) {
  for (const tr::PinnedKind pin :
       {tr::PinnedKind{15, tr::Dispatch::kInline}, tr::PinnedKind{0, tr::Dispatch::kAdaptive}}) {
    tr::Server server;
    server.listen("tcp://127.0.0.1:0", tr::lines(), thread_name, {.pinned_kinds = {pin}});
    EXPECT_FALSE(server.start());
  }
}

INSTANTIATE_TEST_SUITE_P(Setups, PlacementTest,
                         ::testing::ValuesIn(support::setups_of(tr::Dispatch::kAdaptive)),
                         support::name_of);

}  // namespace
