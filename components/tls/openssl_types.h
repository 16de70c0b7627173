// Owners of what OpenSSL gives out.
//
// Thread: any; values.
#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>

namespace trireme { inline namespace v0 { namespace tls {

// Of a block of PEM that needs one: a server asks nobody at the terminal.
inline int no_passphrase(char*, int, int, void*) { return 0; }

template <class T, void (*free)(T*)>
struct Freed {
  void operator()(T* object) const { free(object); }
};
struct FreedBio {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
struct FreedNames {
  void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
};

using SslPointer = std::unique_ptr<SSL, Freed<SSL, SSL_free>>;
using ContextPointer = std::unique_ptr<SSL_CTX, Freed<SSL_CTX, SSL_CTX_free>>;
using CertificatePointer = std::unique_ptr<X509, Freed<X509, X509_free>>;
using KeyPointer = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY, EVP_PKEY_free>>;
using BioPointer = std::unique_ptr<BIO, FreedBio>;
using NamesPointer = std::unique_ptr<GENERAL_NAMES, FreedNames>;

}}}  // namespace trireme::tls
