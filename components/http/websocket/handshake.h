// The handshake of WebSocket (RFC 6455, 4.2) and of permessage-deflate (RFC 7692, 7.1).
//
// Step 4, handling. Thread: any, pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trireme { inline namespace v0 { namespace http {

// What permessage-deflate was agreed with. No context is taken over in either direction: so a
// connection keeps no inflater.
struct DeflateTerms {
  uint8_t server_window_bits = 15;
  bool says_server_window = false;  // the answer has to repeat it
};

struct HandshakeOptions {
  std::vector<std::string> subprotocols{};  // that the server speaks, the best first
  // Origins of pages that may connect, such as "https://example.org"; "*" is any. Empty: those of
  // the same host. A client without Origin is no browser, and may always.
  std::vector<std::string> origins{};
  bool deflate = true;
};

// Refused: a status of HTTP and why. Else the fields of the 101, with their line ends.
struct Handshake {
  int status = 101;
  std::string_view reason{};
  std::string fields{};
  std::string subprotocol{};
  std::optional<DeflateTerms> deflate{};
};

// `fields`: the lines behind the request line. `upgrades`: Connection: Upgrade, and the method is
// GET of HTTP/1.1. `host`: the field Host. A status of 426 needs the field Sec-WebSocket-Version.
Handshake shake_hands(std::string_view fields, bool upgrades, std::string_view host,
                      const HandshakeOptions& options);

// The value of Sec-WebSocket-Accept.
std::string accept_of(std::string_view key);

// The first offer that can be met; none: no offer, or none that can.
std::optional<DeflateTerms> choose_deflate(std::string_view offers);

// Whether a value is a list of extensions at all.
bool is_extension_list(std::string_view value);

}}}  // namespace trireme::http
