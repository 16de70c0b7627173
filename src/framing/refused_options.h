// Step 3, framing: the codec of options that cannot work. start() refuses it; whoever gets to it by
// Answer::then loses the connection.
#pragma once

#include <memory>
#include <string>

#include "trireme/codec.h"

namespace trireme { inline namespace v0 {

std::shared_ptr<const Codec> refused_options(std::string problem);

}}  // namespace trireme
