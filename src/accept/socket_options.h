// Step 1: options of a listening socket, which those of its clients inherit.
//
// Thread: before start().
#pragma once

#include <string>

#include "accept/endpoint.h"
#include "runtime/system/kernel.h"
#include "trireme/options.h"
#include "trireme/result.h"

namespace trireme { inline namespace v0 {

// What a listener was given for its sockets, where its URL does not say otherwise.
struct ChosenOptions {
  ChosenOptions(const ListenOptions& given, const UrlOptions& of_url);

  int backlog;
  SocketOptions socket;
};

// Before start(). A sentence about `url` for an option that an endpoint of its kind has no use for.
Result<Done> validate_kind(const std::string& url, const Endpoint& endpoint,
                           const ListenOptions& options);
// Null, or the first of the options of TCP that was asked for.
const char* first_of_tcp(const SocketOptions& options);

// Before start(). Sets what is of TCP. An error has a reason, no whole sentence. `is_inherited`:
// the socket may have options already.
Result<Done> set_tcp_options(Kernel& kernel, int fd, const SocketOptions& options,
                             bool is_inherited);

}}  // namespace trireme
