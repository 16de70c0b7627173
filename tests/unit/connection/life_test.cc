// Goal: the phases of a connection and the steps between them, as life.h draws them. Method: one
// Life, no connection around it; tables of what must follow from what.
#include "connection/life.h"

#include <gtest/gtest.h>

namespace trireme { inline namespace v0 { namespace {

using Phase = Life::Phase;
using Step = Life::Step;

Life open_life() {
  Life life;
  life.open();
  return life;
}

// By name of a phase that lives.
Life life_in(Phase phase) {
  Life life = open_life();
  if (phase == Phase::kGivenUp) life.note_given_up();
  if (phase == Phase::kDecoded) life.note_decoded();
  if (phase >= Phase::kFinishing) {
    EXPECT_TRUE(life.finish(CloseReason::kClosedByHandler));
  }
  if (phase == Phase::kMuted) life.mute();
  if (phase == Phase::kLingering) life.linger();
  EXPECT_EQ(life.phase_for_test(), phase);
  return life;
}

constexpr Phase kLive[] = {Phase::kOpen,      Phase::kGivenUp, Phase::kDecoded,
                           Phase::kFinishing, Phase::kMuted,   Phase::kLingering};

TEST(Life, OnlyAnOpenOneStartsRequests) {
  for (const Phase phase : kLive) {
    EXPECT_EQ(life_in(phase).decodes(), phase == Phase::kOpen);
    EXPECT_EQ(life_in(phase).is_plain(), phase == Phase::kOpen);
  }
}

TEST(Life, InputIsKeptUntilNothingMoreWillBeDecoded) {
  for (const Phase phase : kLive) {
    EXPECT_EQ(life_in(phase).keeps_input(), phase == Phase::kOpen || phase == Phase::kGivenUp);
  }
}

TEST(Life, AnEndingBeginsOnce) {
  for (const Phase phase : kLive) {
    Life life = life_in(phase);
    const bool was_open = life.is_open();
    const CloseReason before = life.reason();
    EXPECT_EQ(life.finish(CloseReason::kIdleTimeout), was_open);
    EXPECT_EQ(life.reason(), was_open ? CloseReason::kIdleTimeout : before);
    EXPECT_FALSE(life.is_open());
    EXPECT_TRUE(life.is_live());
  }
}

TEST(Life, WhatWasNotedInAnotherPhaseChangesNone) {
  for (const Phase phase : kLive) {
    Life life = life_in(phase);
    if (phase != Phase::kOpen) {
      life.note_given_up();
      life.note_decoded();
    }
    if (phase != Phase::kFinishing) life.mute();
    EXPECT_EQ(life.phase_for_test(), phase);
  }
}

TEST(Life, AStepWaitsForWorkAndForTheCallbackOfADrain) {
  EXPECT_EQ(open_life().step(false), Step::kWait);
  EXPECT_EQ(life_in(Phase::kGivenUp).step(false), Step::kWait);
  EXPECT_EQ(life_in(Phase::kDecoded).step(true), Step::kFinish);
  EXPECT_EQ(life_in(Phase::kFinishing).step(true), Step::kWait);
  EXPECT_EQ(life_in(Phase::kFinishing).step(false), Step::kSayGoodbye);
  EXPECT_EQ(life_in(Phase::kMuted).step(false), Step::kSayGoodbye);
  EXPECT_EQ(life_in(Phase::kLingering).step(false), Step::kWait);
  Life life = open_life();
  ASSERT_TRUE(life.drain(true));
  life.note_decoded();
  life.begin_finishing();
  EXPECT_EQ(life.step(false), Step::kWait);
  life.note_drain_callback();
  EXPECT_EQ(life.step(false), Step::kSayGoodbye);
  life.note_goodbye();
  EXPECT_EQ(life.step(false), Step::kSendRest);
}

TEST(Life, LastWordsAreSaidOnceAndForAReasonOfOurs) {
  for (int i = 0; i < kCloseReasonCount; ++i) {
    const auto reason = static_cast<CloseReason>(i);
    const bool is_ours =
        reason == CloseReason::kClosedByHandler || reason == CloseReason::kIdleTimeout ||
        reason == CloseReason::kSilentTimeout || reason == CloseReason::kRequestTimeout;
    for (const bool drains : {false, true}) {
      Life life = open_life();
      if (drains) {
        ASSERT_TRUE(life.drain(false));
      }
      ASSERT_TRUE(life.finish(reason));
      EXPECT_EQ(life.step(false), is_ours || drains ? Step::kSayGoodbye : Step::kSendRest) << i;
      EXPECT_EQ(life.farewell(), drains ? CloseReason::kDrained : reason);
      life.note_goodbye();
      EXPECT_EQ(life.step(false), Step::kSendRest) << i;
    }
  }
}

TEST(Life, LingersUnlessThePeerHasEndedItsStream) {
  Life life = life_in(Phase::kFinishing);
  EXPECT_EQ(life.step_when_sent(false), Step::kWait);
  EXPECT_EQ(life.step_when_sent(true), Step::kLinger);
  life.note_peer_ended();
  EXPECT_EQ(life.step_when_sent(true), Step::kClose);
  life.close(CloseReason::kReset);
  EXPECT_EQ(life.step_when_sent(true), Step::kWait);
}

TEST(Life, TheReasonOfAnEndThatNobodyAskedForIsWhoseInputEnded) {
  Life life = life_in(Phase::kDecoded);
  life.begin_finishing();
  EXPECT_EQ(life.reason(), CloseReason::kDrained);
  Life ended = open_life();
  ended.note_peer_ended();
  ended.note_decoded();
  ended.begin_finishing();
  EXPECT_EQ(ended.reason(), CloseReason::kPeerClosed);
}

TEST(Life, ADrainIsToldOnceAndASessionOnlyWhileItIsOpen) {
  Life life = open_life();
  EXPECT_TRUE(life.drain(true));
  EXPECT_FALSE(life.drain(true));
  EXPECT_TRUE(life.is_drain_callback_due());
  Life late = life_in(Phase::kFinishing);
  EXPECT_TRUE(late.drain(true));
  EXPECT_FALSE(late.is_drain_callback_due());
  EXPECT_TRUE(late.is_draining());
}

TEST(Life, AClosedOneIsReleasedWhenDriverAndSessionAreDone) {
  Life life = open_life();
  life.note_session_due();
  life.close(CloseReason::kReset);
  EXPECT_FALSE(life.may_be_released());
  life.note_channel_closed();
  EXPECT_FALSE(life.may_be_released());
  life.note_session_done();
  EXPECT_TRUE(life.may_be_released());
  life.release();
  EXPECT_TRUE(life.is_free());
}

TEST(Life, OneThatIsToCloseLaterStartsNothing) {
  Life life = open_life();
  life.close_later(CloseReason::kReset);
  EXPECT_TRUE(life.is_live());
  EXPECT_FALSE(life.decodes());
  EXPECT_FALSE(life.is_plain());
  EXPECT_EQ(life.reason(), CloseReason::kReset);
}

}  // namespace
}}  // namespace trireme
