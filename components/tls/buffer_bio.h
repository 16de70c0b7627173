// A BIO over the bytes that a loop has at hand: OpenSSL reads what has come and writes what is to
// leave, without a copy in between.
//
// Step 2 and 6. Thread: whoever has the layer.
#pragma once

#include <string>
#include <string_view>

#include "tls/openssl_types.h"
#include "tls/ticket_keys.h"

namespace trireme { inline namespace v0 { namespace tls {

// Who has the connection that a callback of OpenSSL is about.
class SslOwner {
 public:
  // Whoever has the layer, in a call of OpenSSL.
  virtual void note_alert(bool is_sent, int code) = 0;
  virtual TicketKeys& ticket_keys() = 0;

 protected:
  ~SslOwner() = default;
};

// What a BIO reads from and writes to during one call of OpenSSL. Lives at one place.
struct BioBuffers {
  explicit BioBuffers(SslOwner& of) : owner(of) {}
  SslOwner& owner;
  std::string_view in{};       // taken from the front; empty: "come again"
  std::string* out = nullptr;  // appended to; null: nothing may be written now
};

// For both directions of one connection. `buffers` is borrowed for its life. Null: no memory.
BIO* make_buffer_bio(BioBuffers& buffers);
// Of a connection that has such a BIO.
SslOwner& owner_of(const SSL* ssl);

}}}  // namespace trireme::tls
