#include "tls/contexts.h"

#include <openssl/err.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "tls/certificates.h"
#include "tls/clients.h"
#include "tls/errors.h"
#include "tls/layer_callbacks.h"

namespace trireme { inline namespace v0 { namespace tls {
namespace {

// Forward secret, with authenticated encryption. Of Mozilla's recommendation "intermediate" what
// needs no finite field of ours.
constexpr const char* kCiphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr const char* kGroups = "X25519:P-256:P-384";
constexpr size_t kProtocolMax = 255;

Error wrong(const std::string& option) {
  const std::string reason = last_reason();
  return usage(option + (reason.empty() ? "" : ": " + reason));
}

// The server name that a hello asks for (RFC 6066, section 3); empty: none.
std::string_view name_in(SSL* ssl) {
  const unsigned char* bytes = nullptr;
  size_t size = 0;
  if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &bytes, &size) != 1) return {};
  const std::string_view all(reinterpret_cast<const char*>(bytes), size);
  const auto number = [&](size_t at) {
    return size_t{static_cast<unsigned char>(all[at])} << 8 |
           static_cast<unsigned char>(all[at + 1]);
  };
  // A list of 2 bytes length; of its first entry the type 0 and 2 bytes length.
  if (size < 5 || number(0) + 2 != size || all[2] != 0 || number(3) + 5 > size) return {};
  return all.substr(5, number(3));
}

std::string digest(const std::string& text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned size = 0;
  if (EVP_Digest(text.data(), text.size(), bytes.data(), &size, EVP_sha256(), nullptr) != 1)
    return {};
  return {reinterpret_cast<const char*>(bytes.data()), size};
}

}  // namespace

Result<std::shared_ptr<const Contexts>> Contexts::make(const TlsOptions& options) {
  if (options.certificates.empty()) return usage("tls needs a certificate, and has none");
  auto made = std::make_shared<Contexts>();
  made->refuses_unknown_ = options.refuse_unknown_names;
  for (const std::string& protocol : options.alpn) {
    if (protocol.empty() || protocol.size() > kProtocolMax)
      return usage("a protocol of alpn has 1 to 255 bytes");
    made->protocols_ += static_cast<char>(protocol.size());
    made->protocols_ += protocol;
  }
  const bool verifies =
      options.clients == TlsClients::kWanted || options.clients == TlsClients::kRequired;
  if (verifies && options.client_ca_file.empty())
    return usage("certificates of clients cannot be verified without client_ca_file");
  if (options.clients == TlsClients::kOff && !options.client_ca_file.empty())
    return usage("client_ca_file is of no use while no certificates of clients are asked for");
  if (options.ticket_time_max.count() < 1 || options.ticket_time_max > std::chrono::days(7))
    return usage("ticket_time_max must be 1 s to 7 days");
  std::string authorities;
  if (!options.client_ca_file.empty()) {
    const Result<std::string> read = read_file(options.client_ca_file);
    if (!read) return read.error();
    authorities = read.value();
  }
  for (const TlsCertificate& files : options.certificates) {
    const Result<Done> added = made->add(files, options, authorities);
    if (!added) return added.error();
  }
  return std::shared_ptr<const Contexts>(std::move(made));
}

Result<Done> Contexts::add(const TlsCertificate& files, const TlsOptions& options,
                           std::string_view authorities) {
  Result<LoadedCertificate> loaded = load_certificate(files);
  if (!loaded) return loaded.error();
  LoadedCertificate& certificate = loaded.value();
  // Two kinds of keys for the same names.
  const auto same = std::find_if(all_.begin(), all_.end(), [&](const auto& one) {
    return one->names == certificate.names && !one->names.empty();
  });
  One* one = same != all_.end() ? same->get() : nullptr;
  if (one == nullptr) {
    all_.push_back(std::make_unique<One>());
    one = all_.back().get();
    one->names = certificate.names;
    one->ocsp = std::move(certificate.ocsp);
    const Result<Done> done = set_up(*one, options, authorities);
    if (!done) return done;
    set_callbacks(*one, options);
    for (std::string_view name : one->names) {
      if (name.starts_with("*.")) name.remove_prefix(1);
      by_name_.emplace(name, one);  // the first that is for a name has it
    }
  }
  return use_certificate(*one->context, certificate, files);
}

Result<Done> Contexts::set_up(One& one, const TlsOptions& options,
                              std::string_view authorities) const {
  forget_errors();
  one.context.reset(SSL_CTX_new(TLS_server_method()));
  SSL_CTX* const context = one.context.get();
  if (context == nullptr) return wrong("OpenSSL cannot make a context");
  const int least = options.version_min == TlsVersion::k13 ? TLS1_3_VERSION : TLS1_2_VERSION;
  SSL_CTX_set_min_proto_version(context, least);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
                                   (options.tickets ? 0 : SSL_OP_NO_TICKET));
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);  // tickets need none
  SSL_CTX_set_timeout(context, options.ticket_time_max.count());
  if (!options.tickets) SSL_CTX_set_num_tickets(context, 0);
  const char* const ciphers = options.ciphers.empty() ? kCiphers : options.ciphers.c_str();
  if (SSL_CTX_set_cipher_list(context, ciphers) != 1) return wrong("ciphers cannot be used");
  if (!options.cipher_suites.empty() &&
      SSL_CTX_set_ciphersuites(context, options.cipher_suites.c_str()) != 1) {
    return wrong("cipher_suites cannot be used");
  }
  const char* const groups = options.groups.empty() ? kGroups : options.groups.c_str();
  if (SSL_CTX_set1_groups_list(context, groups) != 1) return wrong("groups cannot be used");
  if (options.clients != TlsClients::kOff) {
    const Result<Done> clients = verify_clients(*context, options, authorities);
    if (!clients) return clients;
  }
  // What a session has proved holds for these names and authorities alone.
  std::string meant = std::to_string(static_cast<int>(options.clients));
  meant += authorities;
  for (const std::string& name : one.names) meant += '\n' + name;
  one.session_id = digest(meant);
  SSL_CTX_set_session_id_context(context,
                                 reinterpret_cast<const unsigned char*>(one.session_id.data()),
                                 static_cast<unsigned>(one.session_id.size()));
  return Done{};
}

void Contexts::set_callbacks(One& one, const TlsOptions& options) {
  SSL_CTX* const context = one.context.get();
  SSL_CTX_set_client_hello_cb(context, on_hello, this);
  SSL_CTX_set_tlsext_servername_callback(context, on_name);
  if (!protocols_.empty()) SSL_CTX_set_alpn_select_cb(context, on_protocols, this);
  if (!one.ocsp.empty()) {
    SSL_CTX_set_tlsext_status_cb(context, on_status);
    SSL_CTX_set_tlsext_status_arg(context, &one);
  }
  set_layer_callbacks(*context, options.tickets);
}

const Contexts::One* Contexts::find(std::string_view name) const {
  auto found = by_name_.find(name);
  const size_t dot = name.find('.');
  if (found == by_name_.end() && dot != name.npos && dot > 0)
    found = by_name_.find(name.substr(dot));
  return found == by_name_.end() ? nullptr : found->second;
}

// Before OpenSSL looks at anything in the hello: sessions and tickets are of the context that the
// name leads to.
int Contexts::on_hello(SSL* ssl, int* alert, void* contexts) {
  const auto& self = *static_cast<const Contexts*>(contexts);
  try {
    const std::string name = small_letters(name_in(ssl));
    if (name.empty()) return SSL_CLIENT_HELLO_SUCCESS;
    const One* const one = self.find(name);
    if (one == nullptr && self.refuses_unknown_) {
      *alert = SSL_AD_UNRECOGNIZED_NAME;
      return SSL_CLIENT_HELLO_ERROR;
    }
    if (one == nullptr || one->context.get() == self.first()) return SSL_CLIENT_HELLO_SUCCESS;
    if (SSL_set_SSL_CTX(ssl, one->context.get()) != nullptr &&
        SSL_set_session_id_context(ssl,
                                   reinterpret_cast<const unsigned char*>(one->session_id.data()),
                                   static_cast<unsigned>(one->session_id.size())) == 1) {
      return SSL_CLIENT_HELLO_SUCCESS;
    }
  } catch (const std::bad_alloc&) {  // through frames of C nothing may be thrown
  }
  *alert = SSL_AD_INTERNAL_ERROR;
  return SSL_CLIENT_HELLO_ERROR;
}

int Contexts::on_name(SSL* ssl, int*, void*) {
  return SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) == nullptr ? SSL_TLSEXT_ERR_NOACK
                                                                       : SSL_TLSEXT_ERR_OK;
}

int Contexts::on_protocols(SSL*, const unsigned char** out, unsigned char* out_bytes,
                           const unsigned char* in, unsigned in_bytes, void* contexts) {
  const auto& self = *static_cast<const Contexts*>(contexts);
  unsigned char* chosen = nullptr;
  const auto* ours = reinterpret_cast<const unsigned char*>(self.protocols_.data());
  const int found = SSL_select_next_proto(
      &chosen, out_bytes, ours, static_cast<unsigned>(self.protocols_.size()), in, in_bytes);
  *out = chosen;
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

int Contexts::on_status(SSL* ssl, void* one) {
  const std::string& response = static_cast<const One*>(one)->ocsp;
  auto* const copy = static_cast<unsigned char*>(OPENSSL_memdup(response.data(), response.size()));
  if (copy == nullptr) return SSL_TLSEXT_ERR_NOACK;
  SSL_set_tlsext_status_ocsp_resp(ssl, copy, static_cast<long>(response.size()));  // NOLINT
  return SSL_TLSEXT_ERR_OK;
}

}}}  // namespace trireme::tls
