// A TLS client without a socket, for conversations with a server in the same thread.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <string_view>

#include "tls/identity.h"
#include "trireme/testing/conversation.h"

namespace support {

struct TlsClientOptions {
  int version = TLS1_3_VERSION;
  std::string name{};
  std::string protocols{};             // as the extension has them, such as "\2h2"
  const Identity* identity = nullptr;  // the client's own certificate
  SSL_SESSION* session = nullptr;      // to be resumed; borrowed
};

class TlsClient {
 public:
  TlsClient(trireme::testing::Conversation& talk, const TlsClientOptions& options)
      : talk_(talk), context_(SSL_CTX_new(TLS_client_method()), SSL_CTX_free) {
    SSL_CTX_set_min_proto_version(context_.get(), options.version);
    SSL_CTX_set_max_proto_version(context_.get(), options.version);
    if (options.identity != nullptr) {
      SSL_CTX_use_certificate(context_.get(), options.identity->certificate());
      SSL_CTX_use_PrivateKey(context_.get(), options.identity->key());
    }
    SSL_CTX_set_session_cache_mode(context_.get(),
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    ssl_.reset(SSL_new(context_.get()));
    if (!options.name.empty()) SSL_set_tlsext_host_name(ssl_.get(), options.name.c_str());
    if (!options.protocols.empty()) {
      SSL_set_alpn_protos(ssl_.get(),
                          reinterpret_cast<const unsigned char*>(options.protocols.data()),
                          static_cast<unsigned>(options.protocols.size()));
    }
    if (options.session != nullptr) SSL_set_session(ssl_.get(), options.session);
    in_ = BIO_new(BIO_s_mem());
    out_ = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(in_, -1);
    SSL_set_bio(ssl_.get(), in_, out_);
    SSL_set_connect_state(ssl_.get());
  }

  // True: done. `piece_bytes`: so many go to the server at once.
  bool shake_hands(size_t piece_bytes = SIZE_MAX) {
    for (int i = 0; i < 8; ++i) {
      const int result = SSL_do_handshake(ssl_.get());
      const int error = SSL_get_error(ssl_.get(), result);  // before others call OpenSSL
      exchange(piece_bytes);
      if (result == 1) return !talk_.closed();
      if (error != SSL_ERROR_WANT_READ) return false;
    }
    return false;
  }
  // What comes back for a text.
  std::string say(std::string_view text) {
    size_t written = 0;
    if (!text.empty()) SSL_write_ex(ssl_.get(), text.data(), text.size(), &written);
    exchange(SIZE_MAX);
    return read();
  }
  std::string read() {
    std::string all(1 << 20, '\0');
    size_t had = 0, size = 0;
    while (had < all.size() &&
           SSL_read_ex(ssl_.get(), all.data() + had, all.size() - had, &size) == 1) {
      had += size;
    }
    all.resize(had);
    return all;
  }
  // close_notify.
  std::string end() {
    SSL_shutdown(ssl_.get());
    exchange(SIZE_MAX);
    return read();
  }
  // The server's close_notify has come.
  bool was_told_end() const { return (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0; }
  SSL* ssl() const { return ssl_.get(); }
  std::string server_name() const {
    const std::unique_ptr<X509, void (*)(X509*)> peer(SSL_get1_peer_certificate(ssl_.get()),
                                                      X509_free);
    char text[256] = "";
    if (peer != nullptr) {
      X509_NAME_get_text_by_NID(X509_get_subject_name(peer.get()), NID_commonName, text,
                                sizeof text);
    }
    return text;
  }

 private:
  void exchange(size_t piece_bytes) {
    char* bytes = nullptr;
    const auto size = static_cast<size_t>(BIO_get_mem_data(out_, &bytes));
    const std::string to_server(bytes, size);
    BIO_reset(out_);
    std::string from_server = talk_.hear();
    std::string_view left = to_server;
    while (!left.empty()) {
      from_server += talk_.say(left.substr(0, piece_bytes));
      left.remove_prefix(std::min(piece_bytes, left.size()));
    }
    BIO_write(in_, from_server.data(), static_cast<int>(from_server.size()));
  }

  trireme::testing::Conversation& talk_;
  std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context_;
  std::unique_ptr<SSL, void (*)(SSL*)> ssl_{nullptr, SSL_free};
  BIO* in_ = nullptr;   // the connection's
  BIO* out_ = nullptr;  // likewise
};

}  // namespace support
