#include "tls/clients.h"

#include <openssl/pem.h>

#include <string>

#include "tls/errors.h"

namespace trireme { inline namespace v0 { namespace tls {
namespace {

constexpr int kDepthMax = 8;  // authorities between a client and one that we know

// TlsClients::kAny. What is wrong stays in the result of the verification.
int take_any(int, X509_STORE_CTX*) { return 1; }

Error wrong(const TlsOptions& options) {
  const std::string reason = last_reason();
  return usage("'" + options.client_ca_file + "' holds no certificates of authorities in PEM" +
               (reason.empty() ? "" : ": " + reason));
}

}  // namespace

Result<Done> verify_clients(SSL_CTX& context, const TlsOptions& options,
                            std::string_view authorities) {
  int mode = SSL_VERIFY_PEER;
  if (options.clients == TlsClients::kRequired) mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  SSL_CTX_set_verify(&context, mode, options.clients == TlsClients::kAny ? take_any : nullptr);
  SSL_CTX_set_verify_depth(&context, kDepthMax);
  if (authorities.empty()) return Done{};
  forget_errors();
  const BioPointer bio(BIO_new_mem_buf(authorities.data(), static_cast<int>(authorities.size())));
  X509_STORE* const store = SSL_CTX_get_cert_store(&context);
  int count = 0;
  while (true) {
    const CertificatePointer next(PEM_read_bio_X509(bio.get(), nullptr, no_passphrase, nullptr));
    if (next == nullptr) break;
    if (X509_STORE_add_cert(store, next.get()) != 1 ||
        SSL_CTX_add_client_CA(&context, next.get()) != 1) {
      return wrong(options);
    }
    ++count;
  }
  if (count == 0) return wrong(options);
  const std::string damage = damage_behind_pem();
  if (damage.empty()) return Done{};
  return usage("'" + options.client_ca_file +
               "' holds a certificate that cannot be read: " + damage);
}

}}}  // namespace trireme::tls
