// Step 1: listening sockets that another process has opened, and left to this one: by the number of
// a descriptor, or by the protocol of systemd (sd_listen_fds(3)).
//
// They are never ours alone: closed at the end, but not shut down, and their files stay.
#pragma once

#include <string>
#include <vector>

#include "runtime/system/kernel.h"
#include "trireme/result.h"

namespace trireme { inline namespace v0 {

// Before start(). The descriptors that the service manager has passed under `name`, all of them for
// an empty one; at least one. All that were passed are closed on exec from now on. An error has a
// reason, no whole sentence.
Result<std::vector<int>> passed_sockets(Kernel& kernel, const std::string& name);

// Before start(). The address of a stream socket that listens, made ready to be watched. An error
// has a reason, as above; the descriptor stays open.
Result<SocketAddress> take_inherited(Kernel& kernel, int fd);

}}  // namespace trireme
