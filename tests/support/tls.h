// TLS as one more setup: with TRIREME_TEST_TLS=1 every TestServer listens on "tls://", and clients
// speak it. Nothing, in a build without TLS.
#pragma once

#include <memory>

#include "load/tls_client.h"
#include "trireme/transport_layer.h"

namespace support {

// The environment asks for it, and there is TLS in this build.
bool over_tls();
// A certificate that was made for this process. Null: there is no TLS.
std::shared_ptr<const trireme::LayerFactory> tls_of_tests();
// The client's side over a socket, which outlives it. Null: there is no TLS.
std::unique_ptr<load::TlsStream> begin_tls(int fd);

}  // namespace support
