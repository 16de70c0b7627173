// Goal: testing::Table puts several clients of one service side by side. Method: a chat, whose
// pushes, addresses, clock and endings are looked at from each seat.
#include "trireme/testing/table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "trireme/trireme.h"

namespace {

namespace tr = trireme;
using tr::testing::Table;
using namespace std::chrono_literals;

struct Room {
  std::vector<tr::Peer> members;
  std::optional<tr::Reply> waiting;
};

class Member {
 public:
  Member(tr::Peer peer, Room& room) : peer_(std::move(peer)), room_(room) {
    room_.members.push_back(peer_);
  }
  void on_request(const tr::Request& request, tr::Reply reply) {
    if (request.text() == "wait") {
      room_.waiting = std::move(reply);
      return;
    }
    if (request.text() == "answer") {
      std::move(*std::exchange(room_.waiting, std::nullopt)).send("answered");
    }
    for (const tr::Peer& member : room_.members) {
      if (member.id() != peer_.id()) member.send(peer_.address() + ": " + request.own() + "\n");
    }
    std::move(reply).send("said");
  }
  void on_drain() { peer_.send("the room closes\n"); }
  void on_close(tr::CloseReason) {
    std::erase_if(room_.members,
                  [this](const tr::Peer& member) { return member.id() == peer_.id(); });
  }

 private:
  tr::Peer peer_;
  Room& room_;
};

TEST(Table, WhatOneSaysTheOthersHear) {
  Room room;
  const auto table = Table::with<Member>(tr::lines(), {}, room);
  auto& ada = table->join();
  auto& bob = table->join();
  auto& cyd = table->join();
  EXPECT_EQ(table->seats_count(), 3U);
  EXPECT_EQ(&table->seat(1), &bob);
  EXPECT_EQ(ada.say("hello\n"), "said\n");
  EXPECT_EQ(bob.hear(), "192.0.2.1:40001: hello\n");
  EXPECT_EQ(cyd.say("hi\n"), "192.0.2.1:40001: hello\nsaid\n");
  EXPECT_EQ(ada.hear(), "192.0.2.3:40003: hi\n");
  EXPECT_EQ(ada.hear(), "");
  EXPECT_EQ(room.members.size(), 3U);
}

TEST(Table, OneAnswersTheRequestOfAnother) {
  Room room;
  const auto table = Table::with<Member>(tr::lines(), {}, room);
  auto& ada = table->join();
  auto& bob = table->join();
  EXPECT_EQ(ada.say("wait\n"), "");
  EXPECT_EQ(bob.say("answer\n"), "said\n");
  EXPECT_EQ(ada.hear(), "answered\n192.0.2.2:40002: answer\n");
}

TEST(Table, OneLeavesAndTheOthersStay) {
  Room room;
  const auto table = Table::with<Member>(tr::lines(), {}, room);
  auto& ada = table->join();
  auto& bob = table->join();
  ada.reset();
  EXPECT_EQ(ada.closed(), tr::CloseReason::kReset);
  EXPECT_FALSE(bob.closed());
  EXPECT_EQ(room.members.size(), 1U);
  EXPECT_EQ(bob.say("alone\n"), "said\n");
}

TEST(Table, TheClockIsOneForAll) {
  Room room;
  const auto table = Table::with<Member>(tr::lines(), {.limits = {.idle_time_max = 10s}}, room);
  auto& ada = table->join();
  auto& bob = table->join();
  ada.say("a\n");
  bob.say("b\n");
  table->advance(6s);
  ada.say("still here\n");
  bob.hear();
  table->advance(6s);
  EXPECT_FALSE(ada.closed());
  EXPECT_FALSE(bob.closed()) << "a push is traffic, too";
  table->advance(11s);
  table->advance(3s);  // to the end of lingering
  EXPECT_EQ(ada.closed(), tr::CloseReason::kIdleTimeout);
  EXPECT_EQ(bob.closed(), tr::CloseReason::kIdleTimeout);
}

TEST(Table, ADrainIsOneForAll) {
  Room room;
  const auto table = Table::with<Member>(tr::lines(), {}, room);
  auto& ada = table->join();
  auto& bob = table->join();
  table->drain();
  EXPECT_EQ(ada.hear(), "the room closes\n");
  EXPECT_EQ(bob.hear(), "the room closes\n");
}

TEST(Table, AHandlerServesAllSeats) {
  Table table(tr::lines(), [](const tr::Request& request) -> tr::Answer {
    return std::string(request.text().rbegin(), request.text().rend());
  });
  auto& ada = table.join();
  auto& bob = table.join();
  EXPECT_EQ(ada.say("abc\n"), "cba\n");
  EXPECT_EQ(bob.say("de\n"), "ed\n");
  EXPECT_EQ(bob.stats().requests, 1U);
}

}  // namespace
