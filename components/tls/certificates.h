// Certificates with their keys, as files have them, and the names that they are for.
//
// Thread: any.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tls/openssl_types.h"
#include "trireme/result.h"
#include "trireme/tls.h"

namespace trireme { inline namespace v0 { namespace tls {

struct LoadedCertificate {
  CertificatePointer certificate;
  std::vector<CertificatePointer> chain;  // above it
  KeyPointer key;
  std::vector<std::string> names;  // sorted, in small letters
  std::string ocsp;                // a response to staple; empty: none
};

// Reads all files of it. The sentence says which is wrong, and why.
Result<LoadedCertificate> load_certificate(const TlsCertificate& files);
// Into a context, beside those of other kinds of keys. The sentence as above.
Result<Done> use_certificate(SSL_CTX& context, const LoadedCertificate& loaded,
                             const TlsCertificate& files);

// As names are compared.
std::string small_letters(std::string_view name);

}}}  // namespace trireme::tls
