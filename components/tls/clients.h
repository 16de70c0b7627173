// How certificates of clients are asked for and verified.
//
// Thread: any.
#pragma once

#include <string_view>

#include "tls/openssl_types.h"
#include "trireme/result.h"
#include "trireme/tls.h"

namespace trireme { inline namespace v0 { namespace tls {

// With all of `clients` but kOff. `authorities`: the bytes of client_ca_file, or none.
Result<Done> verify_clients(SSL_CTX& context, const TlsOptions& options,
                            std::string_view authorities);

}}}  // namespace trireme::tls
