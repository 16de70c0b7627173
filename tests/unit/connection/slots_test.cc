// Goal: slots are reused first-in first-out with new generations, within connections_max. Method:
// the slots of a loop that never turns.
#include "connection/slots.h"

#include <gtest/gtest.h>

#include <vector>

namespace trireme { inline namespace v0 { namespace {

class SlotsTest : public ::testing::Test {
 protected:
  static constexpr size_t kConnectionsMax = 100;

  SlotsTest()
      : context_(new ServerContext(real_platform(), {}, 1, kConnectionsMax)),
        slots_(*context_.get(), context_.get()->loop(0)) {}
  ~SlotsTest() override {
    slots_.for_each_live([this](Connection& connection) { release(connection); });
    EXPECT_EQ(slots_.taken_count(), 0u);
  }

  Connection* take() {
    Connection* const connection = slots_.take({});
    if (connection != nullptr) connection->life.open();
    return connection;
  }
  void release(Connection& connection) {
    connection.life.close(CloseReason::kReset);
    slots_.release(connection);
  }
  uint64_t stale_ids() { return context_.get()->books(0).stale_ids.get(); }

  ContextRef context_;
  Slots slots_;
};

TEST_F(SlotsTest, AreBounded) {
  for (size_t i = 0; i < kConnectionsMax; ++i) {
    EXPECT_FALSE(slots_.all_taken());
    ASSERT_NE(take(), nullptr);
  }
  EXPECT_TRUE(slots_.all_taken());
  EXPECT_EQ(take(), nullptr);
}

TEST_F(SlotsTest, AStaleIdFindsNobodyAndIsCounted) {
  Connection* const connection = take();
  const ConnectionId id = connection->id;
  EXPECT_EQ(slots_.find(id), connection);
  EXPECT_EQ(stale_ids(), 0u);
  release(*connection);
  EXPECT_EQ(slots_.find(id), nullptr);
  EXPECT_EQ(slots_.find(ConnectionId::make(id.home(), kConnectionsMax + 1, 1)), nullptr);
  EXPECT_EQ(stale_ids(), 2u);
}

TEST_F(SlotsTest, AFreeSlotIsUsedAgainAfterAllThatWereFreeBefore) {
  std::vector<Connection*> all;
  for (size_t i = 0; i < kConnectionsMax; ++i) all.push_back(take());
  const ConnectionId second = all[2]->id;
  release(*all[5]);
  release(*all[2]);
  EXPECT_EQ(take(), all[5]);
  EXPECT_EQ(take(), all[2]);
  EXPECT_EQ(all[2]->id.slot(), second.slot());
  EXPECT_EQ(all[2]->id.generation(), second.generation() + 1);
  EXPECT_EQ(slots_.find(second), nullptr);
}

}  // namespace
}}  // namespace trireme
