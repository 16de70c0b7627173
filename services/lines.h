// Service `lines`: sends each line back as it came, and tells its client how the server knows it.
//
// `PEER` is answered "ADDRESS PORT", of a unix socket "unix PID UID GID"; `LAYERS` what transport
// layers have told, "name=value" separated by blanks: an empty line where there are none. A user of
// the public API alone. Its handler does nothing that blocks.
#pragma once

#include <string>

#include "trireme/peer.h"
#include "trireme/server.h"

namespace services {

namespace tr = trireme;

// Any thread. What `PEER` is answered.
std::string describe_peer(const tr::Peer& peer);

// Before start(). Serves lines at `url`; a wrong URL is reported by Server::start().
void add_lines(tr::Server& server, const std::string& url, const tr::ListenOptions& options);

}  // namespace services
