// What is asked of a server, before anything is built: a sentence for what cannot be.
//
// Thread: before start().
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "connection/listening.h"
#include "trireme/options.h"
#include "trireme/result.h"

namespace trireme::inline v0 {

// An option that cannot be had as it was given.
Error usage(std::string message);

// Before start().
Result<Done> validate_options(const ServerOptions& options,
                              const std::vector<std::unique_ptr<Listening>>& listenings);
// The same of one listener, its URL excepted: what a conversation has, too.
Result<Done> validate_listening(const Listening& listening);

}  // namespace trireme
