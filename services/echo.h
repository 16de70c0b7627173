// Service `echo`: sends every byte back as it came.
//
// A user of the public API alone. Its handler does nothing that blocks, so it may run on a loop's
// thread.
#pragma once

#include <string>

#include "trireme/server.h"

namespace services {

namespace tr = trireme;

// Before start(). Serves echo at `url`; a wrong URL is reported by Server::start().
void add_echo(tr::Server& server, const std::string& url, const tr::ListenOptions& options);

}  // namespace services
