// HTTP for a listener: Server::listen("http://:8080", http::serve(std::move(routes))).
//
// Thread: before start().
#pragma once

#include <cstdint>

#include "trireme/http/routes.h"
#include "trireme/served.h"

namespace trireme { inline namespace v0 { namespace http {

// Limits of a request; the content's are `Limits::frame_bytes_max` of the listener and
// RouteOptions::body_bytes_max. At most 64 KiB - 1 each.
struct ServeOptions {
  uint32_t line_bytes_max = 16 << 10;  // of the request line; over it 414
  uint32_t head_bytes_max = 32 << 10;  // of request line and fields; over it 431
  uint32_t fields_max = 100;           // over it 431
};

// Before start(). What a listener needs to speak HTTP/1.1 and 1.0. The clocks of its `Limits` hold:
// a request that is not whole within `request_time_max` is answered 408, an idle connection ends
// without a word. Ordering::kSerial and kPipelined.
Served serve(Routes routes, const ServeOptions& options = {});

}}}  // namespace trireme::http
