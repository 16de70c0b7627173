// What is asked of a server, before anything is built: a sentence for what cannot be.
//
// Thread: before start().
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "connection/listening.h"
#include "roster/server_context.h"
#include "runtime/system/kernel.h"
#include "trireme/options.h"
#include "trireme/result.h"

namespace trireme { inline namespace v0 {

// A connection id has 22 bits for its slot.
inline constexpr size_t kConnectionsMax = 0x3fffff;

// An option that cannot be had as it was given.
Error usage(std::string message);

// Before start().
Result<Done> validate_options(const ServerOptions& options,
                              const std::vector<std::unique_ptr<Listening>>& listenings);
// The same of one listener, its URL excepted: what a conversation has, too.
Result<Done> validate_listening(const Listening& listening);
// Before start(), when the loops are built: is there memory for a client beside what they take?
Result<Done> validate_budget(ServerContext& context,
                             const std::vector<std::unique_ptr<Listening>>& all);

// A budget of 0 becomes 256 MiB, or half of what the process may use, with a line in the log: the
// other half is for threads, handlers, and what the kernel keeps for sockets.
void choose_budget(ServerOptions& options, Kernel& kernel);

}}  // namespace trireme
