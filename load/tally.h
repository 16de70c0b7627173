// What a load has counted.
//
// Part of the load engine. A value: each thread of a load has its own until they are merged.
#pragma once

#include <cstdint>
#include <string>

#include "load/histogram.h"

namespace load {

struct Tally {
  uint64_t requests = 0;  // answered
  uint64_t refused = 0;   // of them with BUSY
  uint64_t sent_bytes = 0;
  uint64_t received_bytes = 0;
  uint64_t opened = 0;      // connections
  uint64_t handshakes = 0;  // of TLS
  uint64_t resumed = 0;     // of them: by a ticket
  uint64_t wrong_bytes = 0;
  uint64_t broken = 0;      // connections
  uint64_t unanswered = 0;  // sent, and no reply by the end of the drain
  uint64_t unsent = 0;      // due at a fixed rate, not sent by the end
  uint64_t lost = 0;        // requests whose connection broke, and those due on it afterwards
  std::string problem;      // the first thing that went wrong, as a sentence
  Histogram fast;           // of requests that do not ask the server to block
  Histogram blocking;

  bool failed() const { return wrong_bytes + broken + unanswered + lost > 0; }

  void note(std::string sentence) {
    if (problem.empty()) problem = std::move(sentence);
  }

  // Ends a warm-up: counts anew, but what was opened is open and what went wrong is still wrong. In
  // a few microseconds, for meanwhile requests of a fixed rate are due.
  void restart() {
    requests = refused = sent_bytes = received_bytes = unanswered = unsent = lost = 0;
    fast.clear();
    blocking.clear();
  }

  void merge(const Tally& other) {
    requests += other.requests;
    refused += other.refused;
    sent_bytes += other.sent_bytes;
    received_bytes += other.received_bytes;
    opened += other.opened;
    handshakes += other.handshakes;
    resumed += other.resumed;
    wrong_bytes += other.wrong_bytes;
    broken += other.broken;
    unanswered += other.unanswered;
    unsent += other.unsent;
    lost += other.lost;
    note(other.problem);
    fast.merge(other.fast);
    blocking.merge(other.blocking);
  }
};

}  // namespace load
