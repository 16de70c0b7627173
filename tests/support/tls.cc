#include "support/tls.h"

#ifdef TRIREME_HAS_TLS

#include <csignal>
#include <cstdlib>
#include <mutex>

#include "support/temporary_folder.h"
#include "tls/identity.h"
#include "trireme/tls.h"

namespace support {

bool over_tls() {
  static const bool kIsAsked = std::getenv("TRIREME_TEST_TLS") != nullptr;
  return kIsAsked;
}

std::shared_ptr<const trireme::LayerFactory> tls_of_tests() {
  static const std::shared_ptr<trireme::Tls> kTls = [] {
    const TemporaryFolder folder;
    const Identity identity("test", "DNS:test,IP:127.0.0.1", nullptr);
    auto made = trireme::make_tls(
        {.certificates = {{.file = identity.write_certificate(folder.file(""), "test.pem"),
                           .key_file = identity.write_key(folder.file(""), "test.key")}}});
    return made ? made.value() : nullptr;
  }();
  return kTls;
}

std::unique_ptr<load::TlsStream> begin_tls(int fd) {
  static load::TlsClient* const kClient = [] {
    std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes to sockets as to files
    auto made = load::make_tls_client({}, "test");
    return made ? made.value().release() : nullptr;
  }();
  return kClient != nullptr ? kClient->begin(fd) : nullptr;
}

}  // namespace support

#else

namespace support {

bool over_tls() { return false; }
std::shared_ptr<const trireme::LayerFactory> tls_of_tests() { return nullptr; }
std::unique_ptr<load::TlsStream> begin_tls(int) { return nullptr; }

}  // namespace support

#endif
