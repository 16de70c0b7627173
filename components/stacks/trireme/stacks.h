// Reports of stalls that say where a handler waits: "it waits in poll < PQexec < Database::find".
// Needs elfutils' libdw when it is built.
//
//   trireme::ServerOptions options;
//   trireme::use_stacks(options);
//   trireme::Server server(options);
//
// docs/dispatch.md says what a report holds.
#pragma once

#include "trireme/options.h"

namespace trireme { inline namespace v0 {

// Before start(). Any thread may call it. Sets `options.stack_reader`. Reads the tables of all
// loaded objects, which blocks for some ten milliseconds the first time in a process. Keeps a
// descriptor open for the program and for each library on the path of a stack.
void use_stacks(ServerOptions& options);

}}  // namespace trireme
