// What one seed draws for the server and its clients. The world draws its faults by itself.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "runtime/system/clock.h"
#include "runtime/system/random.h"
#include "trireme/options.h"

namespace seeds {

namespace tr = trireme;
using tr::Duration;
using tr::Random;
using tr::TimePoint;

enum class Form { kAnswer, kReply, kSession };

struct ServicePlan {
  Form form = Form::kAnswer;
  bool lines = true;  // else the codec `bytes`
  tr::ListenOptions options;

  bool serial() const { return options.ordering == tr::Ordering::kSerial; }
  bool has_deadline() const { return options.handler_time_max > Duration(0); }
};

enum class Manner {
  kHalfCloses,  // after its last request; reads to the end
  kCloses,      // when it has all replies
  kStays,       // never closes: the drain ends it
  kResets,      // at some moment
  kNeverReads,  // and leaves when the server is gone
};

struct ClientPlan {
  size_t service = 0;
  Manner manner = Manner::kCloses;
  Duration starts_after{0};
  Duration resets_after{0};
  size_t piece_bytes_max = 1;  // of one send
  Duration think_max{0};       // between two sends
  size_t read_bytes_max = 1;   // of one receive
  uint64_t pauses_of_100 = 0;  // chance to stop reading for a while after a receive
  bool sends_rest = false;     // an unterminated line at the end
};

struct Plan {
  tr::ServerOptions options;
  std::array<ServicePlan, 3> services;
  std::vector<ClientPlan> clients;
  bool waits_for_clients = false;  // drain when all are done that will ever be
  bool calms = false;              // no faults from the drain on
  bool drains_twice = false;       // a second thread drains too
  Duration drains_after{0};
  Duration cuts_after{0};      // of the drain; zero: never
  size_t fixed_bytes_max = 0;  // of loops, spares and read buffers that jobs took along

  // The drain has time for all that is left to do.
  bool is_patient() const;
  // One line, for the report of a seed that failed.
  std::string describe() const;
};

Plan draw_plan(Random& random);

// In [min, max].
Duration draw_time(Random& random, Duration min, Duration max);

}  // namespace seeds
