#include "tls/layer_callbacks.h"

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <array>
#include <optional>

#include "tls/buffer_bio.h"

namespace trireme { inline namespace v0 { namespace tls {
namespace {

enum TicketAnswer : int { kTicketFailed = -1, kNoKey = 0, kTicketTaken = 1, kTakenMakeNew = 2 };

bool begin_ticket(const TicketKey& key, const unsigned char* iv, EVP_CIPHER_CTX* cipher,
                  EVP_MAC_CTX* mac, bool makes) {
  const EVP_CIPHER* const how = key.bytes == 16 ? EVP_aes_128_cbc() : EVP_aes_256_cbc();
  std::array<char, 7> digest = {'S', 'H', 'A', '2', '5', '6', '\0'};
  std::array<unsigned char, 32> secret = key.mac;
  const std::array<OSSL_PARAM, 3> how_signed = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, secret.data(), key.bytes),
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

void on_state(const SSL* ssl, int where, int result) {
  if ((where & SSL_CB_ALERT) == 0) return;
  owner_of(ssl).note_alert((where & SSL_CB_WRITE) != 0, result & 0xff);
}

}  // namespace

void set_layer_callbacks(SSL_CTX& context, bool has_tickets) {
  SSL_CTX_set_info_callback(&context, on_state);
  if (has_tickets) SSL_CTX_set_tlsext_ticket_key_evp_cb(&context, on_ticket);
}

}}}  // namespace trireme::tls
