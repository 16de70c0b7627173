#include "framing/proxy_header.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>
#include <string>

#include "framing/proxy_tlvs.h"

namespace trireme { inline namespace v0 {
namespace {

constexpr std::string_view kWord = "PROXY ";  // version 1 begins with it
constexpr size_t kLineBytesMax = 107;         // of version 1, its end included
constexpr std::string_view kSignature("\r\n\r\n\0\r\nQUIT\n", 12);  // version 2
constexpr size_t kHeadBytes = 16;  // of version 2: signature, version, family, length
constexpr uint32_t kCastagnoli = 0x82f63b78;

ProxyParse invalid(const char* mistake) {
  return {.kind = ProxyParse::Kind::kInvalid, .bytes = 0, .mistake = mistake};
}

bool begins_alike(std::string_view input, std::string_view wanted) {
  const size_t bytes = std::min(input.size(), wanted.size());
  return input.substr(0, bytes) == wanted.substr(0, bytes);
}

// --- Version 1 ---

// False: `text` is no address of `family`, as inet_pton knows it: no zone, no leading zeros.
bool parse_host(std::string_view text, int family, ToldAddress& into) {
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  if (text.size() >= terminated.size() || text.find('\0') != text.npos) return false;
  std::copy(text.begin(), text.end(), terminated.begin());
  into.host_bytes = family == AF_INET ? 4 : 16;
  return inet_pton(family, terminated.data(), into.host.data()) == 1;
}

bool parse_port(std::string_view text, uint16_t& port) {
  if (text.empty() || (text.size() > 1 && text.front() == '0')) return false;
  const char* const end = text.data() + text.size();
  const auto [stop, failure] = std::from_chars(text.data(), end, port);
  return failure == std::errc() && stop == end;
}

// What stands in front of the next space, which goes with it; all if there is none.
std::optional<std::string_view> take_field(std::optional<std::string_view>& rest) {
  if (!rest) return {};
  const size_t space = rest->find(' ');
  const std::string_view field = rest->substr(0, space);
  if (space == rest->npos) {
    rest.reset();
  } else {
    rest->remove_prefix(space + 1);
  }
  return field;
}

// The line between "PROXY " and its end.
const char* parse_line(std::string_view line, ProxyHeader& into) {
  std::optional<std::string_view> rest = line;
  const std::string_view family = *take_field(rest);
  if (family == "UNKNOWN") return nullptr;  // whatever stands behind it is passed over
  if (family != "TCP4" && family != "TCP6") return "its family is none of TCP4, TCP6 and UNKNOWN";
  const int kind = family == "TCP4" ? AF_INET : AF_INET6;
  const auto source = take_field(rest), destination = take_field(rest);
  const auto source_port = take_field(rest), destination_port = take_field(rest);
  if (!destination_port || rest) return "it has not two addresses and two ports";
  if (!parse_host(*source, kind, into.source) || !parse_host(*destination, kind, into.destination))
    return "an address is none of its family";
  if (!parse_port(*source_port, into.source.port) ||
      !parse_port(*destination_port, into.destination.port)) {
    return "a port is not a number from 0 to 65535";
  }
  into.tells_peer = true;
  return nullptr;
}

ProxyParse parse_version_1(std::string_view input, ProxyHeader& into) {
  const std::string_view most = input.substr(0, kLineBytesMax);
  const size_t newline = most.find('\n');
  if (newline == most.npos) {
    if (input.size() < kLineBytesMax) return {};
    return invalid("its line is longer than 107 bytes");
  }
  if (most[newline - 1] != '\r') return invalid("its line does not end in CR LF");
  const std::string_view line = most.substr(kWord.size(), newline - 1 - kWord.size());
  into.version = 1;
  if (const char* mistake = parse_line(line, into)) return invalid(mistake);
  return {.kind = ProxyParse::Kind::kHeader, .bytes = newline + 1, .mistake = nullptr};
}

// --- Version 2 ---

uint16_t number_at(std::string_view bytes, size_t at) {
  return static_cast<uint16_t>(byte_at(bytes, at) << 8 | byte_at(bytes, at + 1));
}

// Source and destination, then their ports.
void read_addresses(std::string_view block, uint8_t host_bytes, ProxyHeader& into) {
  for (ToldAddress* address : {&into.source, &into.destination}) {
    const bool is_source = address == &into.source;
    const size_t host = is_source ? 0 : host_bytes;
    std::memcpy(address->host.data(), block.data() + host, host_bytes);
    address->host_bytes = host_bytes;
    address->port = number_at(block, size_t{2} * host_bytes + (is_source ? 0 : 2));
  }
  into.tells_peer = true;
}

// A path of 108 bytes at most, up to its zero. An abstract name begins with one, shown as '@'.
std::string unix_path(std::string_view field) {
  const bool is_abstract = field.front() == '\0' && field[1] != '\0';
  const std::string_view name = is_abstract ? field.substr(1) : field;
  return (is_abstract ? "@" : "") + std::string(name.substr(0, name.find('\0')));
}

constexpr size_t kUnixBytes = 108;

// `block`: what stands behind the 16 bytes. Sets `block_bytes` to those of the addresses.
const char* parse_addresses(uint8_t family, std::string_view block, ProxyHeader& into,
                            size_t& block_bytes) {
  constexpr const char* kShort = "it is too short for its addresses";
  switch (family) {
    case 0x11:  // TCP and UDP over IPv4
    case 0x12:
      block_bytes = 12;
      if (block.size() < block_bytes) return kShort;
      read_addresses(block, 4, into);
      return nullptr;
    case 0x21:  // over IPv6
    case 0x22:
      block_bytes = 36;
      if (block.size() < block_bytes) return kShort;
      read_addresses(block, 16, into);
      return nullptr;
    case 0x31:  // unix sockets, of streams and datagrams
    case 0x32:
      block_bytes = 2 * kUnixBytes;
      if (block.size() < block_bytes) return kShort;
      into.facts.add("proxy.source", unix_path(block.substr(0, kUnixBytes)));
      into.facts.add("proxy.destination", unix_path(block.substr(kUnixBytes, kUnixBytes)));
      return nullptr;
    case 0x00:  // nothing is known of what stands behind it
      block_bytes = block.size();
      return nullptr;
    default:
      return "its family, or its transport, is not of version 2";
  }
}

ProxyParse parse_version_2(std::string_view input, ProxyHeader& into) {
  const uint8_t command = input.size() > 12 ? byte_at(input, 12) : 0x20;
  if (command >> 4 != 2) return invalid("its version is not 2");
  if ((command & 15) > 1) return invalid("its command is none of LOCAL and PROXY");
  if (input.size() < kHeadBytes) return {};
  const size_t bytes = kHeadBytes + number_at(input, 14);
  if (bytes > ProxyHeader::kBytesMax) return invalid("it is longer than 4096 bytes");
  if (input.size() < bytes) return {};
  into.version = 2;
  const bool is_local = (command & 15) == 0;
  if (!is_local) {
    const std::string_view block = input.substr(kHeadBytes, bytes - kHeadBytes);
    size_t block_bytes = 0;
    const char* mistake = parse_addresses(byte_at(input, 13), block, into, block_bytes);
    const size_t tlvs_at = kHeadBytes + block_bytes;
    if (mistake == nullptr) mistake = parse_proxy_tlvs(input.substr(0, bytes), tlvs_at, into.facts);
    if (mistake != nullptr) return invalid(mistake);
  }
  return {.kind = ProxyParse::Kind::kHeader, .bytes = bytes, .mistake = nullptr};
}

}  // namespace

ProxyParse parse_proxy_header(std::string_view input, ProxyHeader& into) {
  into = ProxyHeader();
  if (begins_alike(input, kWord)) {
    return input.size() < kWord.size() ? ProxyParse() : parse_version_1(input, into);
  }
  if (begins_alike(input, kSignature)) {
    return input.size() < kSignature.size() ? ProxyParse() : parse_version_2(input, into);
  }
  return invalid("these are not the first bytes of one");
}

uint32_t crc32c(std::string_view bytes, uint32_t crc) {
  crc = ~crc;
  for (const char each : bytes) {
    crc ^= static_cast<uint8_t>(each);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1) != 0 ? kCastagnoli : 0);
  }
  return ~crc;
}

std::string describe(const ToldAddress& address) {
  if (address.host_bytes == 0) return {};
  const bool is_ipv4 = address.host_bytes == 4;
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(is_ipv4 ? AF_INET : AF_INET6, address.host.data(), text.data(), text.size());
  const std::string host = is_ipv4 ? text.data() : "[" + std::string(text.data()) + "]";
  return host + ":" + std::to_string(address.port);
}

}}  // namespace trireme
