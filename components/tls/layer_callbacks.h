// What OpenSSL asks, and tells, a connection during its calls: the keys of tickets, alerts.
//
// Thread: whoever has the layer.
#pragma once

#include "tls/openssl_types.h"

namespace trireme { inline namespace v0 { namespace tls {

// All connections of `context` must have a BIO of buffer_bio.h.
void set_layer_callbacks(SSL_CTX& context, bool has_tickets);

}}}  // namespace trireme::tls
