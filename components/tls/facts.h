// What a handler learns of the TLS of its client.
//
// Thread: whoever has the layer.
#pragma once

#include <string>

#include "tls/openssl_types.h"
#include "trireme/layer_facts.h"

namespace trireme { inline namespace v0 { namespace tls {

// After the handshake. docs/tls.md lists the names.
void add_facts(SSL& ssl, LayerFacts& into);

}}}  // namespace trireme::tls
