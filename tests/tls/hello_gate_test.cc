// Goal: the gate says that a hello is whole as soon as it is, however it is cut into records and
// segments, and never waits for bytes that cannot come.
// Method: hellos of every cut; what is no hello.
#include "tls/hello_gate.h"

#include <gtest/gtest.h>

#include <string>

namespace {

using trireme::tls::HelloGate;
using Look = HelloGate::Look;

std::string record(const std::string& payload, char type = 22) {
  std::string bytes = {type, 3, 1};
  bytes += static_cast<char>(payload.size() >> 8);
  bytes += static_cast<char>(payload.size() & 0xff);
  return bytes + payload;
}

std::string hello(size_t bytes) {
  std::string message = {1, 0};
  message += static_cast<char>(bytes >> 8);
  message += static_cast<char>(bytes & 0xff);
  return message + std::string(bytes, 'h');
}

TEST(HelloGate, IsReadyWithTheLastByte) {
  for (const size_t cut : {1, 2, 3, 4, 5, 100, 1000}) {
    std::string all;
    const std::string message = hello(300);
    for (size_t at = 0; at < message.size(); at += cut) all += record(message.substr(at, cut));
    HelloGate gate;
    for (size_t size = 0; size < all.size(); ++size) {
      ASSERT_EQ(gate.look(std::string_view(all).substr(0, size)), Look::kMore)
          << cut << ' ' << size;
    }
    ASSERT_EQ(gate.look(all), Look::kReady) << cut;
    EXPECT_EQ(gate.whole_bytes(), all.size());
  }
}

TEST(HelloGate, LaterFlightsAreWholeRecords) {
  HelloGate gate;
  const std::string first = record(hello(300));
  const std::string next = record("change", 20);
  ASSERT_EQ(gate.look(first + next.substr(0, 7)), Look::kReady);
  EXPECT_EQ(gate.whole_bytes(), first.size());
  gate.note_taken();
  EXPECT_EQ(gate.look(next.substr(0, 7)), Look::kMore);
  EXPECT_EQ(gate.look(next + next.substr(0, 3)), Look::kReady);
  EXPECT_EQ(gate.whole_bytes(), next.size());
}

TEST(HelloGate, OtherProtocolsAreKnownAtOnce) {
  EXPECT_EQ(HelloGate().look("GET / HTTP/1.1\r\n"), Look::kNotTls);
  EXPECT_EQ(HelloGate().look("H"), Look::kNotTls);
  EXPECT_EQ(HelloGate().look(std::string(3, '\0')), Look::kNotTls);
  EXPECT_EQ(HelloGate().look(std::string("\x16\x05\x01", 3)), Look::kNotTls);
  EXPECT_EQ(HelloGate().look("\x16"), Look::kMore);
  EXPECT_EQ(HelloGate().look("\x16\x03"), Look::kMore);
  EXPECT_EQ(HelloGate().look(""), Look::kMore);
}

// OpenSSL answers what is wrong with an alert.
TEST(HelloGate, WhatIsWrongIsNotWaitedFor) {
  EXPECT_EQ(HelloGate().look(std::string("\x16\x03\x01\x7f\xff", 5)), Look::kReady);
  EXPECT_EQ(HelloGate().look(record("x", 23)), Look::kReady);
  EXPECT_EQ(HelloGate().look(record("")), Look::kReady);
  EXPECT_EQ(HelloGate().look(record(std::string("\x02\x00\x01\x00", 4))), Look::kReady);
  EXPECT_EQ(HelloGate().look(record(std::string("\x01\xff\xff\xff", 4))), Look::kReady);
  EXPECT_EQ(HelloGate().look(std::string("\x80\x2e\x01\x00\x02\x00", 6)), Look::kReady);
}

}  // namespace
