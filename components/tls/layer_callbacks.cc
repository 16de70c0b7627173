#include "tls/layer_callbacks.h"

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <array>
#include <cstring>
#include <ctime>
#include <optional>

#include "tls/buffer_bio.h"

namespace trireme { inline namespace v0 { namespace tls {
namespace {

enum TicketAnswer : int { kTicketFailed = -1, kNoKey = 0, kTicketTaken = 1, kTakenMakeNew = 2 };

bool begin_ticket(const TicketKey& key, const unsigned char* iv, EVP_CIPHER_CTX* cipher,
                  EVP_MAC_CTX* mac, bool makes) {
  const EVP_CIPHER* const how = key.bytes == 16 ? EVP_aes_128_cbc() : EVP_aes_256_cbc();
  std::array<char, 7> digest = {'S', 'H', 'A', '2', '5', '6', '\0'};
  TicketKey own = key;  // OpenSSL takes parameters that it may write to
  const std::array<OSSL_PARAM, 3> how_signed = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, own.mac.data(), own.bytes),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0),
      OSSL_PARAM_construct_end()};
  return EVP_CipherInit_ex(cipher, how, nullptr, key.cipher.data(), iv, makes ? 1 : 0) == 1 &&
         EVP_MAC_CTX_set_params(mac, how_signed.data()) == 1;
}

// SSL_CTX_set_tlsext_ticket_key_evp_cb(3).
int on_ticket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
              EVP_MAC_CTX* mac, int makes) {
  TicketKeys& keys = owner_of(ssl).ticket_keys();
  bool is_current = true;
  const std::optional<TicketKey> key = makes == 1 ? keys.current() : keys.find(name, is_current);
  if (!key) return makes == 1 ? kTicketFailed : kNoKey;
  if (makes == 1) {
    std::copy(key->name.begin(), key->name.end(), name);
    if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1) return kTicketFailed;
  }
  if (!begin_ticket(*key, iv, cipher, mac, makes == 1)) return kTicketFailed;
  // RFC 8446, appendix C.4: clients use a ticket of TLS 1.3 once, so each handshake brings one.
  return is_current && SSL_version(ssl) < TLS1_3_VERSION ? kTicketTaken : kTakenMakeNew;
}

// What a ticket says besides: when the handshake was that all resumptions go back to.
int on_ticket_made(SSL* ssl, void*) {
  if (SSL_session_reused(ssl) == 1) return 1;  // it stays as it is
  const int64_t now = std::time(nullptr);
  return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), &now, sizeof(now));
}

// A session ends with the certificate that its client has shown, and `time_max` after its full
// handshake, however often its tickets were renewed.
bool is_over(SSL* ssl, SSL_SESSION* session) {
  void* data = nullptr;
  size_t bytes = 0;
  int64_t begun = 0;
  if (SSL_SESSION_get0_ticket_appdata(session, &data, &bytes) != 1 || bytes != sizeof(begun))
    return true;
  std::memcpy(&begun, data, sizeof(begun));
  const int64_t age = std::time(nullptr) - begun;
  if (age < 0 || age >= owner_of(ssl).ticket_keys().time_max().count()) return true;
  const X509* const client = SSL_SESSION_get0_peer(session);
  return client != nullptr && X509_cmp_current_time(X509_get0_notAfter(client)) <= 0;
}

SSL_TICKET_RETURN on_ticket_read(SSL* ssl, SSL_SESSION* session, const unsigned char*, size_t,
                                 SSL_TICKET_STATUS status, void*) {
  if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW)
    return SSL_TICKET_RETURN_IGNORE_RENEW;
  if (is_over(ssl, session)) return SSL_TICKET_RETURN_IGNORE_RENEW;
  return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

void on_state(const SSL* ssl, int where, int result) {
  if ((where & SSL_CB_ALERT) == 0) return;
  owner_of(ssl).note_alert((where & SSL_CB_WRITE) != 0, result & 0xff);
}

}  // namespace

void set_layer_callbacks(SSL_CTX& context, bool has_tickets) {
  SSL_CTX_set_info_callback(&context, on_state);
  if (!has_tickets) return;
  SSL_CTX_set_tlsext_ticket_key_evp_cb(&context, on_ticket);
  SSL_CTX_set_session_ticket_cb(&context, on_ticket_made, on_ticket_read, nullptr);
}

}}}  // namespace trireme::tls
