// Step 1: the transport layers that a URL to listen at names, as in "tcp+proxy://HOST:PORT",
// "tls://HOST:PORT" or "unix+proxy+tls:/path".
//
// Thread: before start().
#pragma once

#include <string>
#include <string_view>

#include "connection/listening.h"
#include "trireme/result.h"

namespace trireme { inline namespace v0 {

// "tcp://HOST:PORT" of "tcp+proxy://HOST:PORT".
std::string without_layers(std::string_view url);
// `plain` with the layers of `url`.
std::string with_layers_of(std::string_view url, std::string_view plain);

// After Listening::prepare(). Gives it the layers of its URL, and who may send their headers. A
// sentence that says what to change if that cannot be.
Result<Done> choose_layers(Listening& listening);

}}  // namespace trireme
