// io_uring as a driver of the server: needs liburing when it is built, and Linux 6.0 when it runs.
//
//   trireme::Server server({.driver = trireme::io_uring()});  // or start() says why not
//
// docs/drivers.md says what is different with it.
#pragma once

#include "trireme/options.h"
#include "trireme/result.h"

namespace trireme { inline namespace v0 {

// Any thread. io_uring as a value of `ServerOptions::driver`. Asks the system nothing: start()
// tries io_uring out, with one ring for each event loop. If the system refuses it, start() fails
// and the sentence says why.
DriverChoice io_uring();

// Any thread. Tries io_uring out at once, for programs that go on with another driver where the
// system refuses it. Set `options.io_workers` before: there is one ring for each. If all of them
// can be made, `options.driver` is io_uring afterwards, and the first server that starts with it
// uses these rings. Else the sentence says why, and `options` stay as they are. Blocks for up to
// half a second while the kernel gives back locked memory.
Result<Done> use_io_uring(ServerOptions& options);

}}  // namespace trireme
