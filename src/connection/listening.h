// What is served at one endpoint: service, codec, options. Immutable after start; outlives every
// connection.
//
// Steps 1 to 6 read it, from any thread.
#pragma once

#include <memory>
#include <string>

#include "trireme/codec.h"
#include "trireme/handler.h"
#include "trireme/options.h"

namespace trireme::inline v0 {

struct Listening {
  std::string url;
  std::shared_ptr<const Codec> codec;
  std::shared_ptr<Service> service;
  ListenOptions options;
  bool has_session = false;
  uint32_t index = 0;                     // among the listeners of its server
  Dispatch dispatch = Dispatch::kInline;  // its own, or that of the server

  bool pipelined() const { return options.ordering == Ordering::kPipelined; }
  uint64_t in_flight_max() const { return pipelined() ? options.limits.in_flight_max : 1; }
};

}  // namespace trireme
