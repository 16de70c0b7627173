// The client's side of TLS: the streams of a load, and the tickets that their handshakes leave for
// later ones.
//
// Part of the load engine; each thread of a load has its own. A build without OpenSSL has nothing
// of it but a sentence that says so.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "trireme/result.h"

namespace load {

namespace tr = trireme;

struct TlsClientOptions {
  std::string authorities{};  // a file in PEM; empty: every certificate is taken
  std::string name{};         // the server's; empty: the host of the URL
  std::string protocols{};    // that are offered (ALPN), joined by ','
  std::string version{};      // "1.2" or "1.3" alone; empty: both
  bool resumes = false;       // by tickets; those of TLS 1.3 are used once
};

// TLS of one connection, on a socket that does not block.
class TlsStream {
 public:
  enum class Step { kDone, kAwaitsReading, kAwaitsWriting, kFailed };

  virtual ~TlsStream() = default;

  // The handshake, as far as it goes.
  virtual Step shake_hands() = 0;
  // Once it is done. As recv(2): 0 is the end by close_notify. -1: errno says why; of EPROTO
  // problem() says more.
  virtual ssize_t receive(std::span<char> into) = 0;
  // True: receive() may have something that the socket does not tell of.
  virtual bool has_more() const = 0;
  // As send(2).
  virtual ssize_t send(std::string_view bytes) = 0;
  // close_notify. False: the socket does not take it now.
  virtual bool end() = 0;
  virtual bool is_resumed() const = 0;
  // What has failed, as a phrase; empty: nothing.
  virtual const std::string& problem() const = 0;
};

class TlsClient {
 public:
  virtual ~TlsClient() = default;
  // Over this socket, which outlives the stream. Blocks never.
  virtual std::unique_ptr<TlsStream> begin(int fd) = 0;
};

// Reads the file of authorities. `host`: of the URL, a name or an address. The error is of code
// kUsage.
tr::Result<std::unique_ptr<TlsClient>> make_tls_client(const TlsClientOptions& options,
                                                       const std::string& host);

}  // namespace load
