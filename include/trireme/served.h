// A protocol and what serves it, in one: what a component gives to Server::listen().
//
// Thread: before start().
#pragma once

#include <memory>

#include "trireme/codec.h"
#include "trireme/detail/service.h"

namespace trireme { inline namespace v0 {

// Made by components, such as http::serve().
struct Served {
  std::shared_ptr<const Codec> codec{};
  std::shared_ptr<detail::Service> service{};
};

}}  // namespace trireme
