// Step 1: from a URL to sockets that listen there.
//
// Thread: before start().
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "accept/loop_door.h"
#include "accept/socket_file.h"
#include "connection/listening.h"
#include "trireme/result.h"

namespace trireme { inline namespace v0 {

struct Bound {
  std::vector<std::string> urls{};   // real ones; several where sockets were passed under one name
  std::optional<SocketFile> file{};  // to be removed before the doors close
};

// Before start(). One listening socket for each of `doors`, all at the URL of `listening`, which
// gets its real port. Several share the port by SO_REUSEPORT. A sentence that says what to change
// if that cannot be; the doors own, and close, what was opened by then.
Result<Bound> bind_listening(Kernel& kernel, Listening& listening,
                             std::span<LoopDoor* const> doors);

}}  // namespace trireme
