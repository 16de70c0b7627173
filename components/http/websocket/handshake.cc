#include "http/websocket/handshake.h"

#include <algorithm>

#include "http/message/characters.h"
#include "http/message/fields.h"
#include "http/websocket/sha1.h"

namespace trireme { inline namespace v0 { namespace http {

namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// The field of that name, which must come once at most. False: it comes twice.
bool single(std::string_view fields, std::string_view wanted, std::string_view& value) {
  value = {};
  std::string_view name, one;
  while (next_field(fields, name, one)) {
    if (!equal_ignoring_case(name, wanted)) continue;
    if (value.data() != nullptr) return false;
    value = one;
  }
  return true;
}

// All values of a field that is a list, joined.
std::string joined(std::string_view fields, std::string_view wanted) {
  std::string all;
  std::string_view name, value;
  while (next_field(fields, name, value)) {
    if (equal_ignoring_case(name, wanted)) all.append(all.empty() ? "" : ", ").append(value);
  }
  return all;
}

bool lists(std::string_view list, std::string_view wanted) {
  std::string_view member;
  while (next_member(list, ',', member)) {
    if (equal_ignoring_case(member, wanted)) return true;
  }
  return false;
}

// 16 bytes in base64: 22 characters and "==", whose last bits are zeros.
bool is_key(std::string_view key) {
  if (key.size() != 24 || key.substr(22) != "==") return false;
  for (const char byte : key.substr(0, 22)) {
    if (kAlphabet.find(byte) == std::string_view::npos) return false;
  }
  return kAlphabet.find(key[21]) % 16 == 0;
}

std::string base64(const std::array<uint8_t, 20>& bytes) {
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const bool two = i + 2 >= bytes.size();
    const uint32_t bits = static_cast<uint32_t>(bytes[i] << 16 | bytes[i + 1] << 8) |
                          (two ? 0u : static_cast<uint32_t>(bytes[i + 2]));
    text += kAlphabet[bits >> 18];
    text += kAlphabet[bits >> 12 & 63];
    text += kAlphabet[bits >> 6 & 63];
    text += two ? '=' : kAlphabet[bits & 63];
  }
  return text;
}

// An origin is scheme "://" host; the port of a scheme may be left out on either side.
bool is_same_host(std::string_view origin, std::string_view host) {
  const size_t at = origin.find("://");
  if (at == std::string_view::npos) return false;
  const std::string_view scheme = origin.substr(0, at);
  const std::string_view own = equal_ignoring_case(scheme, "https") ? ":443" : ":80";
  const auto plain = [&](std::string_view name) {
    return name.ends_with(own) ? name.substr(0, name.size() - own.size()) : name;
  };
  return equal_ignoring_case(plain(origin.substr(at + 3)), plain(host));
}

bool may_connect(std::string_view origin, std::string_view host,
                 const std::vector<std::string>& origins) {
  if (origin.data() == nullptr) return true;
  if (origins.empty()) return is_same_host(origin, host);
  return std::any_of(origins.begin(), origins.end(), [&](const std::string& one) {
    return one == "*" || equal_ignoring_case(one, origin);
  });
}

// 8 to 15, without zeros in front, quoted or not.
bool read_window(std::string_view value, uint8_t& bits) {
  if (value.size() > 2 && value.front() == '"' && value.back() == '"') {
    value = value.substr(1, value.size() - 2);
  }
  uint64_t number = 0;
  if (value.empty() || value[0] == '0' || !read_number(value, number)) return false;
  bits = static_cast<uint8_t>(std::min<uint64_t>(number, 255));
  return number >= 8 && number <= 15;
}

// One offer; false: it cannot be met.
bool meet(std::string_view offer, DeflateTerms& terms) {
  std::string_view part;
  next_member(offer, ';', part);
  if (part != "permessage-deflate") return false;
  bool said[4] = {};
  while (next_member(offer, ';', part)) {
    const size_t equals = part.find('=');
    const bool has_value = equals != std::string_view::npos;
    const std::string_view name = trim(part.substr(0, equals));
    const std::string_view value = has_value ? trim(part.substr(equals + 1)) : std::string_view();
    size_t which = 0;
    uint8_t bits = 15;
    if (name == "server_no_context_takeover" || name == "client_no_context_takeover") {
      which = name[0] == 's' ? 0 : 1;
      if (has_value) return false;
    } else if (name == "server_max_window_bits") {
      which = 2;
      if (!has_value || !read_window(value, bits)) return false;
      if (bits == 8) return false;  // zlib cannot deflate with a window so small
      terms.server_window_bits = bits;
      terms.says_server_window = true;
    } else if (name == "client_max_window_bits") {
      which = 3;
      if (has_value && !read_window(value, bits)) return false;
    } else {
      return false;
    }
    if (said[which]) return false;
    said[which] = true;
  }
  return true;
}

Handshake refused(int status, std::string_view reason) {
  Handshake made;
  made.status = status;
  made.reason = reason;
  return made;
}

}  // namespace

std::string accept_of(std::string_view key) {
  return base64(sha1(std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"));
}

bool is_extension_list(std::string_view value) {
  std::string_view offer, part;
  bool any = value.empty();
  while (next_member(value, ',', offer)) {
    if (offer.empty()) continue;
    bool first = any = true;
    while (next_member(offer, ';', part)) {
      const size_t equals = part.find('=');
      if (!is_token(trim(part.substr(0, equals)))) return false;
      if (equals != std::string_view::npos) {
        std::string_view given = trim(part.substr(equals + 1));
        const bool quoted = given.size() >= 2 && given.front() == '"' && given.back() == '"';
        if (quoted) given = given.substr(1, given.size() - 2);
        if (first || !is_token(given)) return false;
      }
      first = false;
    }
  }
  return any;
}

std::optional<DeflateTerms> choose_deflate(std::string_view offers) {
  std::string_view offer;
  while (next_member(offers, ',', offer)) {
    DeflateTerms terms;
    if (meet(offer, terms)) return terms;
  }
  return std::nullopt;
}

Handshake shake_hands(std::string_view fields, bool upgrades, std::string_view host,
                      const HandshakeOptions& options) {
  std::string_view key, version, origin;
  if (!upgrades || !lists(joined(fields, "upgrade"), "websocket")) {
    return refused(426, "this is a WebSocket");
  }
  if (!single(fields, "sec-websocket-version", version) ||
      !single(fields, "sec-websocket-key", key) || !single(fields, "origin", origin)) {
    return refused(400, "a field of the handshake comes twice");
  }
  if (version.data() == nullptr) return refused(400, "no Sec-WebSocket-Version");
  if (version != "13") return refused(426, "only version 13 of WebSocket is spoken");
  if (!is_key(key)) return refused(400, "an invalid Sec-WebSocket-Key");
  if (!may_connect(origin, host, options.origins)) return refused(403, "not from this origin");
  const std::string extensions = joined(fields, "sec-websocket-extensions");
  if (!is_extension_list(extensions)) return refused(400, "an invalid Sec-WebSocket-Extensions");

  Handshake made;
  made.fields =
      "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + accept_of(key) +
      "\r\n";
  const std::string wanted = joined(fields, "sec-websocket-protocol");
  std::string_view list = wanted, member;
  while (!wanted.empty() && next_member(list, ',', member)) {
    if (!is_token(member)) return refused(400, "an invalid Sec-WebSocket-Protocol");
  }
  for (const std::string& one : options.subprotocols) {
    list = wanted;
    bool offered = false;
    while (!wanted.empty() && next_member(list, ',', member)) offered = offered || member == one;
    if (!offered) continue;
    made.subprotocol = one;
    made.fields += "Sec-WebSocket-Protocol: " + one + "\r\n";
    break;
  }
  if (options.deflate) made.deflate = choose_deflate(extensions);
  if (made.deflate) {
    made.fields +=
        "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; "
        "client_no_context_takeover";
    if (made.deflate->says_server_window) {
      made.fields += "; server_max_window_bits=" + std::to_string(made.deflate->server_window_bits);
    }
    made.fields += "\r\n";
  }
  return made;
}

}}}  // namespace trireme::http
