#include "load/tls_client.h"

#ifdef TRIREME_HAS_TLS

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

namespace load {
namespace {

constexpr size_t kSessionsMax = 4096;  // that are kept; the oldest is forgotten
constexpr size_t kRecordBytes = 16 << 10;

template <class T, void (*free)(T*)>
struct Freed {
  void operator()(T* object) const { free(object); }
};
using ContextPointer = std::unique_ptr<SSL_CTX, Freed<SSL_CTX, SSL_CTX_free>>;
using SslPointer = std::unique_ptr<SSL, Freed<SSL, SSL_free>>;
using SessionPointer = std::unique_ptr<SSL_SESSION, Freed<SSL_SESSION, SSL_SESSION_free>>;

// The reason of the first error of this thread, in words.
std::string reason() {
  const unsigned long code = ERR_peek_error();  // NOLINT: OpenSSL's own type
  const char* const text = code == 0 ? nullptr : ERR_reason_error_string(code);
  return text != nullptr ? text : "no reason is known";
}

bool is_address(const std::string& host) {
  ASN1_OCTET_STRING* const address = a2i_IPADDRESS(host.c_str());
  const bool is_one = address != nullptr;
  ASN1_OCTET_STRING_free(address);
  return is_one;
}

class Stream final : public TlsStream {
 public:
  explicit Stream(SslPointer ssl) : ssl_(std::move(ssl)) {}

  Step shake_hands() override {
    if (ssl_ == nullptr) {
      problem_ = "TLS: out of memory";
      return Step::kFailed;
    }
    ERR_clear_error();
    const int result = SSL_do_handshake(ssl_.get());
    if (result == 1) {
      is_open_ = true;
      return Step::kDone;
    }
    const int error = SSL_get_error(ssl_.get(), result);
    if (error == SSL_ERROR_WANT_READ) return Step::kAwaitsReading;
    if (error == SSL_ERROR_WANT_WRITE) return Step::kAwaitsWriting;
    fail(error, "the handshake has failed");
    return Step::kFailed;
  }

  ssize_t receive(std::span<char> into) override {
    size_t had = 0;
    // A call gives out one record at most.
    while (into.size() - had >= std::min(into.size(), kRecordBytes)) {
      ERR_clear_error();
      size_t size = 0;
      const int result = SSL_read_ex(ssl_.get(), into.data() + had, into.size() - had, &size);
      if (result == 1) {
        had += size;
        continue;
      }
      if (had > 0) break;  // what is wrong comes up again
      return judge(SSL_get_error(ssl_.get(), result));
    }
    return static_cast<ssize_t>(had);
  }

  bool has_more() const override { return is_open_ && SSL_has_pending(ssl_.get()) == 1; }

  ssize_t send(std::string_view bytes) override {
    ERR_clear_error();
    size_t size = 0;
    const int result = SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &size);
    if (result == 1) return static_cast<ssize_t>(size);
    if (judge(SSL_get_error(ssl_.get(), result)) == 0) errno = EPIPE;
    return -1;
  }

  bool end() override {
    if (!is_open_) return true;
    ERR_clear_error();
    const int result = SSL_shutdown(ssl_.get());
    return result >= 0 || SSL_get_error(ssl_.get(), result) != SSL_ERROR_WANT_WRITE;
  }

  bool is_resumed() const override { return SSL_session_reused(ssl_.get()) == 1; }
  const std::string& problem() const override { return problem_; }

 private:
  ssize_t judge(int error) {
    if (error == SSL_ERROR_ZERO_RETURN) return 0;
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
      errno = EAGAIN;
    } else {
      fail(error, "the stream is broken");
      errno = EPROTO;
    }
    return -1;
  }

  // Behind such an error nothing more may be asked of OpenSSL.
  void fail(int error, const char* what) {
    const int number = errno;
    is_open_ = false;
    problem_ = std::string("TLS: ") + what + ": ";
    const long verdict = SSL_get_verify_result(ssl_.get());  // NOLINT: OpenSSL's own type
    if (error == SSL_ERROR_SYSCALL && number != 0) {
      problem_ += std::strerror(number);
    } else if (verdict != X509_V_OK && SSL_get_verify_mode(ssl_.get()) != SSL_VERIFY_NONE) {
      problem_ += X509_verify_cert_error_string(verdict);
    } else {
      problem_ += reason();
    }
    ERR_clear_error();
  }

  const SslPointer ssl_;
  std::string problem_;
  bool is_open_ = false;
};

class Client final : public TlsClient {
 public:
  Client(const TlsClientOptions& options, const std::string& host)
      : options_(options),
        name_(options.name.empty() ? host : options.name),
        name_is_address_(is_address(name_)) {}

  // Empty, or a sentence that says what is wrong.
  std::string set_up() {
    ERR_clear_error();
    context_.reset(SSL_CTX_new(TLS_client_method()));
    SSL_CTX* const context = context_.get();
    if (context == nullptr) return "TLS: OpenSSL cannot make a context: " + reason();
    SSL_CTX_set_min_proto_version(context,
                                  options_.version == "1.3" ? TLS1_3_VERSION : TLS1_2_VERSION);
    if (options_.version == "1.2") SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_set_app_data(context, this);
    if (options_.resumes) SSL_CTX_sess_set_new_cb(context, keep_session);
    if (!options_.authorities.empty()) {
      SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
      if (SSL_CTX_load_verify_file(context, options_.authorities.c_str()) != 1)
        return "--tls-ca: cannot read '" + options_.authorities + "': " + reason();
    }
    return set_protocols();
  }

  std::unique_ptr<TlsStream> begin(int fd) override {
    SslPointer ssl(SSL_new(context_.get()));
    if (ssl != nullptr && !(SSL_set_fd(ssl.get(), fd) == 1 && set_name(*ssl))) ssl.reset();
    if (ssl != nullptr) {
      SSL_set_connect_state(ssl.get());
      use_session(*ssl);
    }
    return std::make_unique<Stream>(std::move(ssl));
  }

 private:
  std::string set_protocols() {
    std::string wire;
    for (std::string_view left = options_.protocols; !left.empty();) {
      const std::string_view each = left.substr(0, left.find(','));
      if (each.empty() || each.size() > 255) return "--tls-alpn: expected names joined by ','";
      wire += static_cast<char>(each.size());
      wire += each;
      left.remove_prefix(std::min(each.size() + 1, left.size()));
    }
    if (wire.empty()) return {};
    const auto* bytes = reinterpret_cast<const unsigned char*>(wire.data());
    const bool taken =
        SSL_CTX_set_alpn_protos(context_.get(), bytes, static_cast<unsigned>(wire.size())) == 0;
    return taken ? "" : "--tls-alpn: " + reason();
  }

  // An address is never sent as a name (RFC 6066, section 3).
  bool set_name(SSL& ssl) const {
    if (name_.empty()) return true;
    if (name_is_address_)
      return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(&ssl), name_.c_str()) == 1;
    return SSL_set_tlsext_host_name(&ssl, name_.c_str()) == 1 &&
           SSL_set1_host(&ssl, name_.c_str()) == 1;
  }

  static int keep_session(SSL* ssl, SSL_SESSION* session) {
    auto& self = *static_cast<Client*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
    if (self.sessions_.size() == kSessionsMax) self.sessions_.erase(self.sessions_.begin());
    self.sessions_.emplace_back(session);
    return 1;  // it is ours now
  }

  // RFC 8446, appendix C.4: a ticket of TLS 1.3 is for one handshake.
  void use_session(SSL& ssl) {
    if (sessions_.empty()) return;
    SSL_SESSION* const session = sessions_.back().get();
    SSL_set_session(&ssl, session);  // takes a share
    if (SSL_SESSION_get_protocol_version(session) >= TLS1_3_VERSION) sessions_.pop_back();
  }

  const TlsClientOptions options_;
  const std::string name_;
  const bool name_is_address_;
  ContextPointer context_;
  std::vector<SessionPointer> sessions_;  // the newest is the last
};

}  // namespace

tr::Result<std::unique_ptr<TlsClient>> make_tls_client(const TlsClientOptions& options,
                                                       const std::string& host) {
  auto made = std::make_unique<Client>(options, host);
  const std::string problem = made->set_up();
  if (!problem.empty()) return tr::Error{tr::Error::Code::kUsage, problem};
  return std::unique_ptr<TlsClient>(std::move(made));
}

}  // namespace load

#else

namespace load {

tr::Result<std::unique_ptr<TlsClient>> make_tls_client(const TlsClientOptions&,
                                                       const std::string&) {
  return tr::Error{tr::Error::Code::kUsage, "this trireme was built without TLS"};
}

}  // namespace load

#endif
