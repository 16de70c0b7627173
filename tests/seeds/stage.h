// All that the handlers and the clients of one world share. One thread runs all fibers, so nothing
// here is locked.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "plan.h"
#include "script.h"
#include "sim/machine.h"
#include "trireme/trireme.h"

namespace seeds {

namespace sim = trireme::sim;

// What the server's side knows of a client.
struct Note {
  bool seen = false;  // a handler has run for it
  bool cut = false;   // a handler has closed it, or answered so that the codec did
  tr::Peer peer;
  int running = 0;     // handlers
  int unanswered = 0;  // requests that have begun
  std::set<uint64_t> own_pushes;
};

// What the client's side knows.
struct Heard {
  Script script;
  std::unique_ptr<Transcript> transcript;
  std::vector<std::pair<TimePoint, size_t>> sent;  // when the network had taken so many bytes
  bool connected = false;
  bool left = false;     // it reset or closed first
  bool has_end = false;  // the server's end of stream came
  bool done = false;
  int error = 0;  // of a receive
};

class Stage {
 public:
  Stage(sim::Machine& where, const Plan& what, Random draws);

  void complain(const std::string& sentence) { complaints += sentence + "; "; }
  void sleep(Duration time);  // why: virtual time

  sim::Machine& world;
  const Plan& plan;
  Random random;  // of handlers and clients
  std::vector<Note> notes;
  std::vector<Heard> heard;
  std::vector<uint16_t> ports;  // by service
  bool server_is_gone = false;
  int64_t sessions = 0;  // living
  std::string complaints;
};

// Before start().
void add_services(Stage& stage, tr::Server& server);
// A fiber for each client.
void run_client(Stage& stage, size_t index);

}  // namespace seeds
