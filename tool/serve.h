// `trireme serve`: one service on one or more endpoints until a signal ends it.
//
// Part of the tool; runs on the main thread.
#pragma once

#include <string>
#include <vector>

#include "trireme/options.h"

namespace tool {

namespace tr = trireme;

// What event loops wait on. io_uring is a component: it is there if the tool was built with it.
struct DriverChoice {
  enum class Uring { kNo, kRequired, kWherePossible };
  tr::DriverKind kind = tr::DriverKind::kEpoll;
  Uring uring = Uring::kNo;
};

struct ServeOptions {
  std::string service;            // "echo", "discard", "delay" or "collect"
  std::vector<std::string> urls;  // at least one
  tr::ServerOptions server;
  tr::ListenOptions listen;
  DriverChoice driver;
  std::string database;  // file of `collect`
};

// Main thread. Blocks until the server has drained. Prints a line `listening on URL` for every
// endpoint to standard output once all are bound. Answers the exit status of the process.
int serve(ServeOptions options);

}  // namespace tool
