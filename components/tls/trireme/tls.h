// TLS 1.2 and 1.3 as a transport layer, on OpenSSL 3. Needs libssl when it is built.
//
//   auto tls = trireme::make_tls({.certificates = {{.file = "server.pem"}}});
//   if (!tls) ...  // tls.error() says what to change
//   server.listen("tls://0.0.0.0:7000", trireme::lines(), handler, {.tls = tls.value()});
//
// docs/tls.md says how to get a certificate, how to change it, and what is not there.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "trireme/result.h"
#include "trireme/transport_layer.h"

namespace trireme { inline namespace v0 {

// One certificate with its key. Files in PEM.
struct TlsCertificate {
  std::string file{};       // the certificate, and behind it those that lead to its authority
  std::string key_file{};   // empty: the key is in `file`. Must not need a passphrase
  std::string ocsp_file{};  // a response of its authority's OCSP server, in DER; stapled as it is
};

// Certificates of clients. What a handler learns is in Peer::layers(), as docs/tls.md lists it.
enum class TlsClients : uint8_t {
  kOff,       // none is asked for
  kAny,       // asked for; whatever comes is taken, and the facts say whether it was verified
  kWanted,    // asked for; one that cannot be verified is refused, none is fine
  kRequired,  // without one that can be verified nobody is served
};

enum class TlsVersion : uint8_t { k12, k13 };

struct TlsOptions {
  // At least one. The first is served to clients that name no server, or one that none is for. A
  // certificate is for the DNS names in it; "*.example.org" stands for one label. Two of the same
  // names, of RSA and of an elliptic curve, are offered together.
  std::vector<TlsCertificate> certificates{};
  // A client that names a server that none is for gets the alert unrecognized_name instead.
  bool refuse_unknown_names = false;
  // Application protocols (RFC 7301) in the order of our preference. A client that offers only
  // others gets the alert no_application_protocol. Empty: what clients offer is passed over.
  std::vector<std::string> alpn{};
  TlsClients clients = TlsClients::kOff;
  // PEM: the authorities of clients' certificates. Needed by all but kOff and kAny.
  std::string client_ca_file{};
  TlsVersion version_min = TlsVersion::k12;
  // As OpenSSL writes them, joined by ':'. Empty: forward secret ones with authenticated encryption
  // alone, which all clients of the last ten years know.
  std::string ciphers{};        // of TLS 1.2
  std::string cipher_suites{};  // of TLS 1.3
  std::string groups{};         // empty: X25519, P-256, P-384
  // Resumption by tickets (RFC 5077, 8446). The keys are in a file that several processes share:
  // keys of 80 bytes one behind the other, or one of 48 bytes, or the same in base64, a line each.
  // The first makes tickets, all are good for reading them. Empty: keys of this process, new ones
  // after each `ticket_time_max`.
  bool tickets = true;
  std::string ticket_keys_file{};
  std::chrono::seconds ticket_time_max{std::chrono::hours(2)};
};

// A snapshot; each number is exact.
struct TlsStats {
  uint64_t handshakes = 0;      // done
  uint64_t resumed = 0;         // of these: by a ticket
  uint64_t failed = 0;          // handshakes that have failed
  uint64_t not_tls = 0;         // of these: the client does not speak TLS
  uint64_t cut = 0;             // streams that ended without close_notify
  uint64_t reloads = 0;         // that have taken effect
  uint64_t reloads_failed = 0;  // the old certificates stayed
  struct Alert {
    std::string name{};  // such as "certificate expired"
    uint64_t sent = 0;
    uint64_t received = 0;
  };
  std::vector<Alert> alerts{};  // those that have come up, close_notify excepted
};

// What listeners share: certificates, ticket keys, counts. One may serve several listeners.
class Tls final : public LayerFactory {
 public:
  // Any thread. Of make_tls(), which is the way to one.
  class Shared;
  explicit Tls(std::unique_ptr<Shared> shared);
  ~Tls() override;
  Tls(const Tls&) = delete;
  Tls& operator=(const Tls&) = delete;

  // Any thread, also that of a handler. Blocks while it reads all files anew. New connections get
  // what is in them, those that there are go on as they are. If anything is wrong, all stays as it
  // was, and the sentence says why.
  Result<Done> reload();
  // Any thread.
  TlsStats stats() const;

  // Any thread.
  std::string_view name() const override { return "tls"; }
  // Loop thread.
  std::unique_ptr<TransportLayer> make(std::string_view peer) const override;

 private:
  const std::unique_ptr<Shared> shared_;
};

// Any thread. Blocks while it reads the files. The sentence says what is wrong with which file or
// option.
Result<std::shared_ptr<Tls>> make_tls(TlsOptions options);

}}  // namespace trireme
