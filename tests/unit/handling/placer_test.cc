// Goal: where a job starts, for every policy, driver, pin and state of the reserve; what is noted
// in the job for the thread that runs it; what is learned from jobs and from losses. Method: a loop
// that does nothing, made-up jobs and times.
#include "handling/placer.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <optional>

namespace trireme { inline namespace v0 { namespace {

using namespace std::chrono_literals;

class NoLoop final : public HeldLoop {
 public:
  EventLoop& loop() override { std::abort(); }
  End hold(CrewMember&) override { return End::kStopped; }
  void rearrange(SpareKit&) override {}
};

constexpr Driver::Traits kMoves{.name = "moves", .loop_may_move = true};
constexpr Driver::Traits kStays{.name = "stays", .loop_may_move = false};

// A loop with one listener, some kinds of which are pinned, and one job of kind 0.
struct Place {
  explicit Place(Driver::Traits driver, std::optional<Dispatch> pin = {}) : placer(held, driver) {
    std::vector<PinnedKind> pinned;
    if (pin) pinned.push_back({.kind = 0, .dispatch = *pin});
    placer.add_listener(pinned);
    job.requests.count = job.requests.run = 1;
    job.requests.all[0] = {"request", nullptr, {}, 0};
  }
  bool starts_here(Dispatch policy, bool has_reserve) {
    held.has_reserve = has_reserve;
    job.loan.by = nullptr;
    job.home.record = nullptr;
    return placer.starts_here(job, policy, 0);
  }
  KindRecord& record() { return (*placer.kinds())[0]->of(0); }
  void becomes_dear() {
    for (int i = 0; i < 100; ++i) record().was_late(KindRecord::kLateCost, now);
  }

  TimePoint now = TimePoint(1h);
  NoLoop held;
  Placer placer;
  Job job;
};

constexpr Dispatch kInline = Dispatch::kInline, kWorkers = Dispatch::kWorkers,
                   kAdaptive = Dispatch::kAdaptive;

TEST(Placer, ChoosesByPolicyDriverPinAndReserve) {
  struct Row {
    Dispatch policy;
    bool may_move;
    std::optional<Dispatch> pin;
    bool has_reserve, here;
  };
  const std::optional<Dispatch> none;
  const Row rows[] = {
      {kAdaptive, true, none, true, true},       {kAdaptive, true, none, false, false},
      {kAdaptive, true, kInline, true, true},    {kAdaptive, true, kInline, false, true},
      {kAdaptive, true, kWorkers, true, false},  {kAdaptive, true, kWorkers, false, false},
      {kAdaptive, false, none, true, false},     {kAdaptive, false, none, false, false},
      {kAdaptive, false, kInline, true, true},   {kAdaptive, false, kInline, false, true},
      {kAdaptive, false, kWorkers, true, false}, {kAdaptive, false, kWorkers, false, false},
  };
  for (const Row& row : rows) {
    Place place(row.may_move ? kMoves : kStays, row.pin);
    SCOPED_TRACE(::testing::Message() << "row " << &row - rows);
    const bool here = place.starts_here(row.policy, row.has_reserve);
    // Builds that force hand-over start kinds on the loop that belong to data workers.
    const bool forced = Placer::kForceHandOver && row.may_move && row.pin == kWorkers;
    EXPECT_EQ(here, row.here || forced);
    EXPECT_EQ(place.job.loan.by, here && row.may_move ? &place.held : nullptr)
        << "only a loop that may move can be given away";
    EXPECT_EQ(place.job.home.record, &place.record());
    EXPECT_TRUE(here || place.job.run.timed) << "what runs elsewhere is always measured";
  }
}

TEST(Placer, InlineAndWorkersAskNobody) {
  for (const Driver::Traits& driver : {kMoves, kStays}) {
    for (const std::optional<Dispatch> pin : {std::optional<Dispatch>{}, {kInline}, {kWorkers}}) {
      for (const bool has_reserve : {false, true}) {
        Place place(driver, pin);
        EXPECT_TRUE(place.starts_here(kInline, has_reserve));
        EXPECT_EQ(place.job.home.record, nullptr);
        EXPECT_EQ(place.job.loan.by, nullptr) << "nobody takes the loop from it";
        EXPECT_FALSE(place.starts_here(kWorkers, has_reserve));
        EXPECT_EQ(place.job.home.record, nullptr);
        EXPECT_FALSE(place.job.run.timed);
      }
    }
  }
}

TEST(Placer, AKindThatBlocksMovesAndItsNeighbourStays) {
  if (Placer::kForceHandOver) GTEST_SKIP() << "all kinds start on the loop";
  Place place(kMoves);
  ASSERT_TRUE(place.starts_here(kAdaptive, true));
  place.becomes_dear();
  EXPECT_FALSE(place.starts_here(kAdaptive, true));
  place.job.requests.all[0].kind = 1;
  EXPECT_TRUE(place.starts_here(kAdaptive, true));
}

TEST(Placer, CallbacksHaveARecordOfTheirOwn) {
  Place place(kMoves);
  place.becomes_dear();
  place.job.run.kind = JobKind::kClose;
  place.job.requests.count = 0;
  EXPECT_TRUE(place.starts_here(kAdaptive, true));
  EXPECT_EQ(place.job.home.record, &(*place.placer.kinds())[0]->of_callbacks());
}

TEST(Placer, LearnsFromWhereAJobRan) {
  Place place(kMoves);
  ASSERT_TRUE(place.starts_here(kAdaptive, true));
  place.placer.learn(place.job, place.now);
  EXPECT_EQ(place.record().requests_inline(), 1u);
  // The request that lost the loop was noted when it did, the one before it is counted now.
  place.job.requests.count = place.job.requests.run = 2;
  place.placer.note_loss(place.job, place.now);
  place.job.home.lost_loop = true;
  place.placer.learn(place.job, place.now);
  EXPECT_EQ(place.record().requests_inline(), 3u);
  EXPECT_EQ(place.record().late(), 1u);
  place.job.home.lost_loop = false;
  place.job.home.on_data_worker = true;
  place.job.times.taken = 10us;
  place.placer.learn(place.job, place.now);
  EXPECT_EQ(place.record().requests_on_data_workers(), 2u);
}

TEST(Placer, NobodyLearnsUnderOtherPolicies) {
  Place place(kMoves);
  ASSERT_TRUE(place.starts_here(kInline, true));
  place.placer.note_loss(place.job, place.now);
  place.placer.learn(place.job, place.now);
  EXPECT_EQ(place.record().requests_inline() + place.record().late(), 0u);
}

// A loss that was seen at once costs little, so the kind stays; one that a tick has found moves it.
TEST(Placer, ALossCostsWhatItsClientsWaitedFor) {
  for (const bool at_once : {true, false}) {
    Place place(kMoves);
    ASSERT_TRUE(place.starts_here(kAdaptive, true));
    place.held.lost_at_once = at_once;
    for (int i = 0; i < 9; ++i) place.record().ran_inline(1, false, Duration(0), place.now);
    place.placer.note_loss(place.job, place.now);
    EXPECT_EQ(place.record().on_data_workers(), !at_once);
  }
}

TEST(Placer, TellsWatchersWhatRuns) {
  Place place(kMoves);
  place.job.home.service_name = "echo";
  place.job.requests.all[0].kind = 7;
  place.job.run.id.value = 99;
  place.placer.publish(place.job, place.now);
  EXPECT_EQ(place.held.lent_job, &place.job);
  EXPECT_STREQ(place.held.holder_notes.lent_service.load(), "echo");
  EXPECT_EQ(place.held.holder_notes.lent_kind, 7u);
  EXPECT_EQ(place.held.holder_notes.lent_id, 99u);
  EXPECT_EQ(place.held.holder_notes.lent_since_ns, place.now.time_since_epoch().count());
}

}}}  // namespace trireme
