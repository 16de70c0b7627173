#include "tls/facts.h"

#include <arpa/inet.h>

#include <array>

namespace trireme { inline namespace v0 { namespace tls {
namespace {

std::string bytes_of(const ASN1_STRING* string) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
          static_cast<size_t>(ASN1_STRING_length(string))};
}

std::string subject_of(const X509& certificate) {
  const BioPointer bio(BIO_new(BIO_s_mem()));
  if (bio == nullptr) return {};
  X509_NAME_print_ex(bio.get(), X509_get_subject_name(&certificate), 0, XN_FLAG_RFC2253);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);  // NOLINT: OpenSSL's own type
  return {text, static_cast<size_t>(size)};
}

std::string fingerprint_of(const X509& certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned size = 0;
  if (X509_digest(&certificate, EVP_sha256(), bytes.data(), &size) != 1) return {};
  std::string text;
  for (unsigned i = 0; i < size; ++i) {
    constexpr const char* kDigits = "0123456789abcdef";
    text += kDigits[bytes[i] >> 4];
    text += kDigits[bytes[i] & 15];
  }
  return text;
}

std::string address_of(const ASN1_STRING* bytes) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const int family = ASN1_STRING_length(bytes) == 4 ? AF_INET : AF_INET6;
  const bool fits = family == AF_INET || ASN1_STRING_length(bytes) == 16;
  if (!fits || inet_ntop(family, ASN1_STRING_get0_data(bytes), text.data(), text.size()) == nullptr)
    return {};
  return text.data();
}

void add_names(const X509& certificate, LayerFacts& into) {
  const NamesPointer names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_DNS) into.add("tls.client.san", "DNS:" + bytes_of(name->d.dNSName));
    if (name->type == GEN_EMAIL)
      into.add("tls.client.san", "email:" + bytes_of(name->d.rfc822Name));
    if (name->type == GEN_URI)
      into.add("tls.client.san", "URI:" + bytes_of(name->d.uniformResourceIdentifier));
    if (name->type == GEN_IPADD) into.add("tls.client.san", "IP:" + address_of(name->d.iPAddress));
  }
}

void add_client(SSL& ssl, LayerFacts& into) {
  const X509* const certificate = SSL_get0_peer_certificate(&ssl);
  if (certificate == nullptr) return;
  const long result = SSL_get_verify_result(&ssl);  // NOLINT: OpenSSL's own type
  into.add("tls.client.verified", result == X509_V_OK ? "1" : "0");
  if (result != X509_V_OK) into.add("tls.client.why", X509_verify_cert_error_string(result));
  into.add("tls.client.subject", subject_of(*certificate));
  add_names(*certificate, into);
  into.add("tls.client.fingerprint", fingerprint_of(*certificate));
}

}  // namespace

void add_facts(SSL& ssl, LayerFacts& into) {
  into.add("tls.version", SSL_get_version(&ssl));
  into.add("tls.cipher", SSL_get_cipher_name(&ssl));
  if (const char* const name = SSL_get_servername(&ssl, TLSEXT_NAMETYPE_host_name))
    into.add("tls.name", name);
  const unsigned char* protocol = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(&ssl, &protocol, &size);
  if (size > 0) into.add("tls.alpn", {reinterpret_cast<const char*>(protocol), size});
  into.add("tls.resumed", SSL_session_reused(&ssl) == 1 ? "1" : "0");
  add_client(ssl, into);
}

}}}  // namespace trireme::tls
