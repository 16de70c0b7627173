// Goal: what is a PROXY header is read as the specification says, whole or in pieces; what is none
// is refused with its first wrong byte, and nothing reads beyond its end.
// Method: headers of both versions, each cut at every byte; each with every kind of mistake.
#include "framing/proxy_header.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "support/proxy_headers.h"

namespace trireme { inline namespace v0 { namespace {

using Found = ProxyParse::Kind;
using support::tlv;
using support::v2;
using support::with_crc;

const std::string kTcp4 = "PROXY TCP4 192.0.2.33 198.51.100.7 56324 443\r\n";

// The header in `bytes`, which must be one, all of it. Every part of it must want more.
ProxyHeader parsed(const std::string& bytes) {
  ProxyHeader header;
  for (size_t cut = 0; cut < bytes.size(); ++cut) {
    // A copy on the heap: AddressSanitizer sees who reads behind it.
    const std::vector<char> part(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(cut));
    EXPECT_EQ(parse_proxy_header({part.data(), cut}, header).kind, Found::kIncomplete) << cut;
  }
  const ProxyParse alone = parse_proxy_header(bytes, header);
  EXPECT_EQ(alone.kind, Found::kHeader) << (alone.mistake != nullptr ? alone.mistake : "");
  const ProxyParse found = parse_proxy_header(bytes + "GET /\r\n", header);
  EXPECT_EQ(found.kind, Found::kHeader);
  EXPECT_EQ(found.bytes, bytes.size());
  return header;
}

// Why it is refused.
std::string refusal(const std::string& bytes) {
  ProxyHeader header;
  const ProxyParse found = parse_proxy_header(bytes, header);
  return found.kind == Found::kInvalid ? found.mistake : "it is not refused";
}

std::string value(const ProxyHeader& header, const char* name) {
  return std::string(header.facts.value(name));
}

TEST(ProxyHeader, OfVersion1TellsAddresses) {
  const ProxyHeader four = parsed(kTcp4);
  EXPECT_EQ(four.version, 1);
  EXPECT_TRUE(four.tells_peer);
  EXPECT_EQ(describe(four.source), "192.0.2.33:56324");
  EXPECT_EQ(describe(four.destination), "198.51.100.7:443");
  const ProxyHeader six = parsed("PROXY TCP6 2001:DB8::a1 ::1 40001 0\r\n");
  EXPECT_EQ(describe(six.source), "[2001:db8::a1]:40001");
  EXPECT_EQ(describe(six.destination), "[::1]:0");
}

TEST(ProxyHeader, OfVersion1MayKnowNothing) {
  for (const char* line : {"PROXY UNKNOWN\r\n", "PROXY UNKNOWN any words here !?\r\n",
                           "PROXY UNKNOWN 192.0.2.1 192.0.2.2 1 2\r\n"}) {
    const ProxyHeader header = parsed(line);
    EXPECT_FALSE(header.tells_peer);
    EXPECT_EQ(describe(header.source), "");
  }
}

TEST(ProxyHeader, OfVersion1HasAtMost107Bytes) {
  const std::string word = "PROXY UNKNOWN ";
  EXPECT_FALSE(parsed(word + std::string(107 - 2 - word.size(), 'x') + "\r\n").tells_peer);
  EXPECT_EQ(refusal(word + std::string(107, 'x')), "its line is longer than 107 bytes");
}

TEST(ProxyHeader, OfVersion1IsRefusedWithItsMistake) {
  const std::string fields = "it has not two addresses and two ports";
  const std::string family = "its family is none of TCP4, TCP6 and UNKNOWN";
  const std::string host = "an address is none of its family";
  const std::string port = "a port is not a number from 0 to 65535";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"TCP4 192.0.2.33 198.51.100.7 56324 443 ", fields},
      {"TCP4 192.0.2.33 198.51.100.7 56324", fields},
      {"TCP4 192.0.2.33 198.51.100.7", fields},
      {"TCP4 192.0.2.33 198.51.100.7 1 2 3", fields},
      {"TCP4", fields},
      {"", family},
      {" TCP4 1.2.3.4 1.2.3.4 1 2", family},
      {"tcp4 1.2.3.4 1.2.3.4 1 2", family},
      {"TCP5 1.2.3.4 1.2.3.4 1 2", family},
      {"UNKNOWNX", family},
      {"TCP4 192.0.2.256 198.51.100.7 1 2", host},
      {"TCP4 192.0.2.033 198.51.100.7 1 2", host},
      {"TCP4 192.0.2 198.51.100.7 1 2", host},
      {"TCP4 localhost 198.51.100.7 1 2", host},
      {"TCP4 1.2.3.4 ::1 1 2", host},
      {"TCP4  1.2.3.4 1 2", host},
      {std::string("TCP4 1.2.3.4\0 1.2.3.4 1 2", 25), host},
      {"TCP6 1.2.3.4 ::1 1 2", host},
      {"TCP6 1::2::3 ::1 1 2", host},
      {"TCP6 fe80::1%lo ::1 1 2", host},
      {"TCP6 [::1] ::1 1 2", host},
      {"TCP6 12345::1 ::1 1 2", host},
      {"TCP4 1.2.3.4 1.2.3.4 65536 2", port},
      {"TCP4 1.2.3.4 1.2.3.4 1 02", port},
      {"TCP4 1.2.3.4 1.2.3.4 -1 2", port},
      {"TCP4 1.2.3.4 1.2.3.4 +1 2", port},
      {"TCP4 1.2.3.4 1.2.3.4 0x1 2", port},
      {"TCP4 1.2.3.4 1.2.3.4  2", port},
      {"TCP4 1.2.3.4 1.2.3.4 18446744073709551616 2", port}};
  for (const auto& [line, wanted] : cases) {
    EXPECT_EQ(refusal("PROXY " + line + "\r\n"), wanted) << line;
  }
  EXPECT_EQ(refusal("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n"), "its line does not end in CR LF");
}

// A client that speaks no PROXY protocol is not waited for.
TEST(ProxyHeader, IsRefusedWithItsFirstWrongByte) {
  const std::string none = "these are not the first bytes of one";
  for (const std::string& start :
       {std::string("P"), std::string("PROXY "), std::string("\r\n\r"), support::kProxySignature}) {
    ProxyHeader header;
    EXPECT_EQ(parse_proxy_header(start, header).kind, Found::kIncomplete);
  }
  for (const std::string& start :
       {std::string("G"), std::string("p"), std::string("PROXy"), std::string("\n"),
        std::string("\r\n\r\n\x01"), std::string("\x16\x03\x01"), std::string("PROXY\r")}) {
    EXPECT_EQ(refusal(start), none);
  }
  std::string bent = support::kProxySignature;
  bent[11] = 'n';
  EXPECT_EQ(refusal(bent), none);
}

TEST(ProxyHeader, OfVersion2TellsAddresses) {
  for (const uint8_t family : {0x11, 0x12}) {
    const ProxyHeader four = parsed(v2(family, support::block4("192.0.2.33", 56324)));
    EXPECT_EQ(four.version, 2);
    EXPECT_TRUE(four.tells_peer);
    EXPECT_EQ(describe(four.source), "192.0.2.33:56324");
    EXPECT_EQ(describe(four.destination), "198.51.100.7:443");
  }
  for (const uint8_t family : {0x21, 0x22}) {
    const ProxyHeader six = parsed(v2(family, support::block6("2001:db8::a1", 3338)));
    EXPECT_EQ(describe(six.source), "[2001:db8::a1]:3338");
    EXPECT_EQ(describe(six.destination), "[::1]:443");
  }
}

TEST(ProxyHeader, OfVersion2TellsPathsOfUnixSockets) {
  std::string block(216, '\0');
  block.replace(0, 9, "/run/a.s1");
  block.replace(109, 4, "name");  // behind a zero: an abstract one
  const ProxyHeader header = parsed(v2(0x31, block));
  EXPECT_FALSE(header.tells_peer);
  EXPECT_EQ(value(header, "proxy.source"), "/run/a.s1");
  EXPECT_EQ(value(header, "proxy.destination"), "@name");
  const ProxyHeader full = parsed(v2(0x32, std::string(216, 'p')));
  EXPECT_EQ(value(full, "proxy.source"), std::string(108, 'p'));
}

TEST(ProxyHeader, OfVersion2MaySpeakForTheProxyItself) {
  EXPECT_FALSE(parsed(v2(0x00, "", 0x20)).tells_peer);  // LOCAL
  EXPECT_FALSE(parsed(v2(0x11, support::block4("1.2.3.4", 1), 0x20)).tells_peer);
  EXPECT_FALSE(parsed(v2(0xf5, std::string(50, '\xee'), 0x20)).tells_peer);  // passed over
  EXPECT_FALSE(parsed(v2(0x00, std::string(20, '\x07'))).tells_peer);        // UNSPEC
}

TEST(ProxyHeader, OfVersion2IsRefusedWithItsMistake) {
  const std::string block = support::block4("1.2.3.4", 1);
  for (const uint8_t version : {0x01, 0x11, 0x31, 0xf1})
    EXPECT_EQ(refusal(v2(0x11, block, version)), "its version is not 2");
  for (const uint8_t command : {0x22, 0x27, 0x2f})
    EXPECT_EQ(refusal(v2(0x11, block, command)), "its command is none of LOCAL and PROXY");
  for (const uint8_t family : {0x01, 0x10, 0x13, 0x1f, 0x2a, 0x41, 0x71, 0xf1})
    EXPECT_EQ(refusal(v2(family, block)), "its family, or its transport, is not of version 2");
  const std::string is_short = "it is too short for its addresses";
  EXPECT_EQ(refusal(v2(0x11, block.substr(1))), is_short);
  EXPECT_EQ(refusal(v2(0x21, block)), is_short);
  EXPECT_EQ(refusal(v2(0x31, std::string(215, 'p'))), is_short);
  EXPECT_EQ(refusal(v2(0x11, "")), is_short);
}

TEST(ProxyHeader, OfVersion2HasAtMost4096Bytes) {
  const std::string block = support::block4("1.2.3.4", 1);
  const size_t room = ProxyHeader::kBytesMax - 16 - block.size() - 3;
  EXPECT_TRUE(parsed(v2(0x11, block + tlv(0x04, std::string(room, '\0')))).tells_peer);
  const std::string over = v2(0x11, block + tlv(0x04, std::string(room + 1, '\0')));
  EXPECT_EQ(refusal(over.substr(0, 16)), "it is longer than 4096 bytes");  // not waited for
}

TEST(ProxyHeader, TellsWhatItsTlvsSay) {
  const std::string tls = std::string("\x07\0\0\0\0", 5) + tlv(0x21, "TLSv1.3") +
                          tlv(0x22, "a client") + tlv(0x23, "TLS_AES_128_GCM_SHA256");
  const ProxyHeader header = parsed(
      v2(0x11, support::block4("1.2.3.4", 1) + tlv(0x01, "h2") + tlv(0x02, "www.example.org") +
                   tlv(0x04, "padding") + tlv(0x05, "id\x01") + tlv(0x20, tls) + tlv(0x30, "blue") +
                   tlv(0xea, "\x01vpce") + tlv(0xf5, "try") + tlv(0x7a, "?")));
  EXPECT_EQ(header.facts.text(),
            "proxy.alpn=h2 proxy.authority=www.example.org proxy.unique_id=696401 proxy.tls=1 "
            "proxy.tls.verified=1 proxy.tls.version=TLSv1.3 proxy.tls.cn=a%20client "
            "proxy.tls.cipher=TLS_AES_128_GCM_SHA256 proxy.netns=blue proxy.tlv.ea=0176706365");
}

// Whether a certificate was there, and whether it has verified, are two things.
TEST(ProxyHeader, TellsHowTheClientSpeaksToItsProxy) {
  const auto told = [](std::string_view ssl) {
    return parsed(v2(0x11, support::block4("1.2.3.4", 1) + tlv(0x20, ssl))).facts.text();
  };
  EXPECT_EQ(told({"\x01\0\0\0\0", 5}), "proxy.tls=1");
  EXPECT_EQ(told({"\x03\0\0\0\x13", 5}), "proxy.tls=1 proxy.tls.verified=0");
  EXPECT_EQ(told({"\x05\0\0\0\0", 5}), "proxy.tls=1 proxy.tls.verified=1");
  EXPECT_EQ(told({"\0\0\0\0\0", 5}), "proxy.tls=0");
}

TEST(ProxyHeader, RefusesTlvsThatAreCut) {
  const auto refused = [](const std::string& tlvs) {
    return refusal(v2(0x11, support::block4("1.2.3.4", 1) + tlvs));
  };
  const std::string overrun = "a TLV reaches behind its end";
  EXPECT_EQ(refused("\x04"), overrun);
  EXPECT_EQ(refused(std::string("\x04\0", 2)), overrun);
  EXPECT_EQ(refused(std::string("\x02\0\x20short", 8)), overrun);
  EXPECT_EQ(refused(tlv(0x20, "1234")), "its SSL TLV is too short");
  EXPECT_EQ(refused(tlv(0x20, std::string("\x01\0\0\0\0\x21\0\x09short", 13))), overrun);
}

TEST(ProxyHeader, IsCheckedByItsCrc32c) {
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(crc32c("56789", crc32c("1234")), 0xe3069283u);
  const std::string block = support::block4("1.2.3.4", 1);
  const std::string right = with_crc(0x11, block + tlv(0x02, "a.example"), tlv(0x04, "end"));
  EXPECT_TRUE(parsed(right).tells_peer);
  const size_t type_at = right.find(std::string("\x03\0\x04", 3));
  for (size_t at = 16; at < right.size(); ++at) {  // whatever is changed behind its length
    if (at == type_at) continue;                   // then it is no CRC32C any more
    std::string wrong = right;
    wrong[at] = static_cast<char>(wrong[at] ^ 0x20);
    EXPECT_NE(refusal(wrong), "it is not refused") << at;
  }
  EXPECT_EQ(refusal(v2(0x11, block + tlv(0x03, "abc"))), "its CRC32C has not 4 bytes");
}

}}}  // namespace trireme
