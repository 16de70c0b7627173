// Step 3, framing: what marks the codecs of this library. Tests look at what they find, so that the
// loop need not.
#pragma once

#include "trireme/codec.h"

namespace trireme { inline namespace v0 {

class TestedCodec : public Codec {};

}}  // namespace trireme
