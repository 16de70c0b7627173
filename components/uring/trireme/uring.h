// io_uring as a driver of the server: needs liburing when it is built, and Linux 6.0 when it runs.
//
//   trireme::ServerOptions options;
//   if (auto used = trireme::use_io_uring(options); !used) std::cerr << used.error().message;
//   trireme::Server server(options);  // on io_uring, or else on options.driver
//
// docs/drivers.md says what is different with it.
#pragma once

#include "trireme/options.h"
#include "trireme/result.h"

namespace trireme { inline namespace v0 {

// Before start(), any thread. Tries io_uring out, with as many rings as `options.io_workers` will
// need; if this system has and allows all that, servers made of `options` use it, the first one the
// very rings that were tried. So set `io_workers` before. If not, says why and leaves `options` as
// they are.
Result<Done> use_io_uring(ServerOptions& options);

}}  // namespace trireme
