// `trireme serve`: one service on one or more endpoints until a signal ends it.
//
// Part of the tool; runs on the main thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tool/tls.h"
#include "trireme/options.h"

namespace tool {

namespace tr = trireme;

// What `--driver` says.
struct NamedDriver {
  tr::DriverChoice choice = tr::DriverKind::kEpoll;
  bool uring_where_possible = false;  // instead of `choice`
};

struct ServeOptions {
  // "echo", "lines", "discard", "delay", "collect", "hello", "files"
  std::string service;
  std::vector<std::string> urls;  // at least one
  tr::ServerOptions server;
  tr::ListenOptions listen;
  NamedDriver driver;
  TlsChoice tls;
  std::string database;  // file of `collect`
  uint64_t database_log_bytes_max = uint64_t{1} << 30;
  std::string root;  // folder of `files`, and of `hello`, where it may be empty
  std::string index = "index.html";
  bool lists_folders = false;
  bool follows_links = false;
  std::string admin;  // the URL of the admin endpoint; empty: none
  bool admin_is_public = false;
};

// Main thread. Blocks until the server has drained. Prints a line `listening on URL` for every
// endpoint to standard output once all are bound. Answers the exit status of the process.
int serve(ServeOptions options);

}  // namespace tool
