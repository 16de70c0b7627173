// Goal: TLS as the library speaks it: handshake and records however they are cut, names,
// protocols, certificates of clients, resumption, both ends, what is no TLS.
// Method: OpenSSL as the client of a testing::Conversation; certificates that the test makes.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "support/lines_codec.h"
#include "support/temporary_folder.h"
#include "tls/identity.h"
#include "tls/tls_client.h"
#include "trireme/tls.h"
#include "trireme/trireme.h"

namespace {

namespace tr = trireme;
using support::Identity;
using support::TlsClient;
using tr::testing::Conversation;

tr::Answer answer(const tr::Request& request) {
  if (request.text() == "LAYERS") return request.peer().layers().text();
  if (request.text() == "large") return std::string(100'000, 'x');
  return "<" + request.own() + ">";
}

class TlsLayerTest : public ::testing::TestWithParam<int> {
 protected:
  tr::TlsCertificate files(const Identity& identity, const std::string& name) const {
    return {.file = identity.write_certificate(folder_.file(""), name + ".pem"),
            .key_file = identity.write_key(folder_.file(""), name + ".key")};
  }
  tr::TlsOptions options() const {
    return {.certificates = {files(default_, "default"), files(a_, "a"), files(wild_, "wild")}};
  }
  static tr::ListenOptions behind(const std::shared_ptr<tr::Tls>& tls) {
    tr::ListenOptions listen;
    listen.layers = {tls};
    return listen;
  }
  static std::shared_ptr<tr::Tls> make(tr::TlsOptions options) {
    auto made = tr::make_tls(std::move(options));
    EXPECT_TRUE(made) << made.error().message;
    return made.value();
  }
  support::TlsClientOptions client(std::string name = {}) const {
    return {.version = GetParam(), .name = std::move(name)};
  }

  const support::TemporaryFolder folder_;
  const Identity authority_{"authority", "", nullptr};
  const Identity default_{"default.test", "DNS:default.test", &authority_};
  const Identity a_{"a.test", "DNS:a.test", &authority_};
  const Identity wild_{"wild.test", "DNS:*.wild.test", &authority_};
};

TEST_P(TlsLayerTest, SpeaksHoweverItIsCut) {
  const auto tls = make(options());
  for (const size_t piece : {size_t{1}, size_t{7}, size_t{1000}, SIZE_MAX}) {
    Conversation talk(tr::lines(), answer, behind(tls));
    TlsClient client(talk, this->client("a.test"));
    ASSERT_TRUE(client.shake_hands(piece)) << piece;
    EXPECT_EQ(client.say("one\ntwo\n"), "<one>\n<two>\n");
    EXPECT_EQ(client.say("large\n").size(), 100'001u);
    // close_notify is a half-close: the answer comes, then ours.
    EXPECT_EQ(client.say("unfin"), "");
    EXPECT_EQ(client.say("ished\n"), "<unfinished>\n");
    EXPECT_EQ(client.end(), "");
    EXPECT_TRUE(client.was_told_end());
    talk.end();
    EXPECT_EQ(talk.closed(), tr::CloseReason::kPeerClosed);
  }
  EXPECT_EQ(tls->stats().handshakes, 4u);
  EXPECT_EQ(tls->stats().failed, 0u);
}

TEST_P(TlsLayerTest, ShowsTheCertificateOfTheName) {
  const auto tls = make(options());
  const std::pair<const char*, const char*> names[] = {
      {"a.test", "a.test"},         {"A.TEST", "a.test"},       {"one.wild.test", "wild.test"},
      {"", "default.test"},         {"b.test", "default.test"}, {"x.one.wild.test", "default.test"},
      {"wild.test", "default.test"}};
  for (const auto& [asked, shown] : names) {
    Conversation talk(tr::lines(), answer, behind(tls));
    TlsClient client(talk, this->client(asked));
    ASSERT_TRUE(client.shake_hands()) << asked;
    EXPECT_EQ(client.server_name(), shown) << asked;
  }
  tr::TlsOptions strict = options();
  strict.refuse_unknown_names = true;
  const auto refuses = make(strict);
  Conversation talk(tr::lines(), answer, behind(refuses));
  TlsClient unknown(talk, client("b.test"));
  EXPECT_FALSE(unknown.shake_hands());
  EXPECT_EQ(talk.closed(), std::nullopt);  // its alert is on its way
  talk.end();
  EXPECT_EQ(talk.closed(), tr::CloseReason::kLayerFailed);
  ASSERT_EQ(refuses->stats().alerts.size(), 1u);
  EXPECT_EQ(refuses->stats().alerts[0].name, "unrecognized name");
  EXPECT_EQ(refuses->stats().alerts[0].sent, 1u);
}

TEST_P(TlsLayerTest, AgreesOnTheProtocolThatWePrefer) {
  tr::TlsOptions with = options();
  with.alpn = {"h2", "echo/1"};
  const auto tls = make(with);
  Conversation talk(tr::lines(), answer, behind(tls));
  support::TlsClientOptions both = client();
  both.protocols = "\6echo/1\2h2";
  TlsClient client(talk, both);
  ASSERT_TRUE(client.shake_hands());
  EXPECT_NE(client.say("LAYERS\n").find("tls.alpn=h2"), std::string::npos);
  Conversation other(tr::lines(), answer, behind(tls));
  both.protocols = "\3foo";
  EXPECT_FALSE(TlsClient(other, both).shake_hands());
}

TEST_P(TlsLayerTest, KnowsItsClientsByTheirCertificates) {
  tr::TlsOptions with = options();
  with.clients = tr::TlsClients::kRequired;
  with.client_ca_file = authority_.write_certificate(folder_.file(""), "ca.pem");
  const Identity good("client one", "email:one@a.test,DNS:one.a.test", &authority_);
  const Identity late("client two", "", &authority_, "P-256", -1);
  const Identity stranger("client three", "", nullptr);
  const auto required = make(with);
  with.clients = tr::TlsClients::kWanted;
  const auto wanted = make(with);
  with.clients = tr::TlsClients::kAny;
  const auto any = make(with);
  const auto ask = [&](const std::shared_ptr<tr::Tls>& tls, const Identity* identity) {
    Conversation talk(tr::lines(), answer, behind(tls));
    support::TlsClientOptions who = client();
    who.identity = identity;
    TlsClient client(talk, who);
    // In TLS 1.3 the client is through before the server has judged it.
    if (!client.shake_hands()) return std::string("refused");
    const std::string facts = client.say("LAYERS\n");
    return facts.empty() ? "refused"
                         : facts.substr(std::min(facts.find("tls.client"), facts.size()));
  };
  for (const auto& tls : {required, wanted, any}) {
    const std::string facts = ask(tls, &good);
    EXPECT_TRUE(
        facts.starts_with("tls.client.verified=1 tls.client.subject=CN=client%20one "
                          "tls.client.san=email:one@a.test tls.client.san=DNS:one.a.test "
                          "tls.client.fingerprint="))
        << facts;
  }
  for (const Identity* bad : {&late, &stranger}) {
    EXPECT_EQ(ask(required, bad), "refused");
    EXPECT_EQ(ask(wanted, bad), "refused");
    EXPECT_TRUE(ask(any, bad).starts_with("tls.client.verified=0 tls.client.why="));
  }
  EXPECT_EQ(ask(required, nullptr), "refused");
  EXPECT_EQ(ask(wanted, nullptr), "");
}

TEST_P(TlsLayerTest, ResumesUnderTheSameNameOnly) {
  const auto tls = make(options());
  Conversation talk(tr::lines(), answer, behind(tls));
  TlsClient first(talk, client("a.test"));
  ASSERT_TRUE(first.shake_hands());
  EXPECT_EQ(first.say("x\n"), "<x>\n");
  const std::unique_ptr<SSL_SESSION, void (*)(SSL_SESSION*)> session(SSL_get1_session(first.ssl()),
                                                                     SSL_SESSION_free);
  for (const bool same : {true, false}) {
    Conversation again(tr::lines(), answer, behind(tls));
    support::TlsClientOptions with = client(same ? "a.test" : "one.wild.test");
    with.session = session.get();
    TlsClient second(again, with);
    ASSERT_TRUE(second.shake_hands());
    EXPECT_EQ(SSL_session_reused(second.ssl()), same ? 1 : 0);
    EXPECT_NE(second.say("LAYERS\n").find(same ? "tls.resumed=1" : "tls.resumed=0"),
              std::string::npos);
  }
  EXPECT_EQ(tls->stats().handshakes, 3u);
  EXPECT_EQ(tls->stats().resumed, 1u);
}

// Whichever of its bytes is changed: name of the key, initial value, cipher text, MAC.
TEST_P(TlsLayerTest, AForgedTicketLeadsToAFullHandshake) {
  const auto tls = make(options());
  Conversation talk(tr::lines(), answer, behind(tls));
  TlsClient first(talk, client("a.test"));
  ASSERT_TRUE(first.shake_hands());
  EXPECT_EQ(first.say("x\n"), "<x>\n");
  const std::unique_ptr<SSL_SESSION, void (*)(SSL_SESSION*)> session(SSL_get1_session(first.ssl()),
                                                                     SSL_SESSION_free);
  const unsigned char* ticket = nullptr;
  size_t bytes = 0;
  SSL_SESSION_get0_ticket(session.get(), &ticket, &bytes);
  ASSERT_GT(bytes, 64u);
  unsigned char* der = nullptr;
  const int size = i2d_SSL_SESSION(session.get(), &der);
  const std::string whole(reinterpret_cast<const char*>(der), static_cast<size_t>(size));
  OPENSSL_free(der);
  const size_t begin = whole.find(std::string(reinterpret_cast<const char*>(ticket), bytes));
  ASSERT_NE(begin, whole.npos);
  for (size_t at = 0; at < bytes; at += 5) {
    std::string forged = whole;
    forged[begin + at] ^= '\x55';
    const auto* from = reinterpret_cast<const unsigned char*>(forged.data());
    const std::unique_ptr<SSL_SESSION, void (*)(SSL_SESSION*)> wrong(
        d2i_SSL_SESSION(nullptr, &from, size), SSL_SESSION_free);
    ASSERT_NE(wrong, nullptr);
    Conversation again(tr::lines(), answer, behind(tls));
    support::TlsClientOptions with = client("a.test");
    with.session = wrong.get();
    TlsClient second(again, with);
    ASSERT_TRUE(second.shake_hands()) << at;
    EXPECT_EQ(SSL_session_reused(second.ssl()), 0) << at;
    EXPECT_EQ(second.say("x\n"), "<x>\n");
  }
  EXPECT_EQ(tls->stats().resumed, 0u);
}

TEST_P(TlsLayerTest, AStreamThatIsCutHasItsReason) {
  const auto tls = make(options());
  Conversation talk(tr::lines(), answer, behind(tls));
  TlsClient client(talk, this->client());
  ASSERT_TRUE(client.shake_hands());
  EXPECT_EQ(client.say("x\n"), "<x>\n");
  talk.end();
  EXPECT_EQ(talk.closed(), tr::CloseReason::kCut);
  EXPECT_EQ(tls->stats().cut, 1u);
}

TEST_P(TlsLayerTest, BytesThatNobodyHasSentEndIt) {
  const auto tls = make(options());
  Conversation talk(tr::lines(), answer, behind(tls));
  TlsClient client(talk, this->client());
  ASSERT_TRUE(client.shake_hands());
  EXPECT_EQ(client.say("x\n"), "<x>\n");
  const std::string record("\x17\x03\x03\x00\x20", 5);
  EXPECT_NE(talk.say(record + std::string(32, 'z')), "");  // an alert
  talk.end();
  EXPECT_EQ(talk.closed(), tr::CloseReason::kLayerFailed);
}

TEST_P(TlsLayerTest, WhatIsNoTlsIsClosedWithoutAnAnswer) {
  const auto tls = make(options());
  for (const char* bytes : {"GET / HTTP/1.1\r\n\r\n", "hello\n"}) {
    Conversation talk(tr::lines(), answer, behind(tls));
    EXPECT_EQ(talk.say(bytes), "");
    EXPECT_EQ(talk.closed(), tr::CloseReason::kLayerFailed);
  }
  EXPECT_EQ(tls->stats().not_tls, 2u);
}

// A codec that has words for those who speak it without TLS, as HTTP has.
class Welcoming final : public support::LinesCodec {
 public:
  std::string last_words(tr::CloseReason reason) const override {
    return reason == tr::CloseReason::kLayerFailed ? "400 use TLS\n" : "";
  }
};

TEST_P(TlsLayerTest, HttpWithoutTlsIsToldSoByTheCodec) {
  const auto tls = make(options());
  const auto codec = std::make_shared<Welcoming>();
  Conversation talk(codec, answer, behind(tls));
  EXPECT_EQ(talk.say("GET / HTTP/1.1\r\n\r\n"), "400 use TLS\n");
  talk.end();
  EXPECT_EQ(talk.closed(), tr::CloseReason::kLayerFailed);
  Conversation other(codec, answer, behind(tls));
  EXPECT_EQ(other.say("hello\n"), "");
  EXPECT_EQ(other.closed(), tr::CloseReason::kLayerFailed);
  // Behind STARTTLS, too.
  Conversation later(codec, [tls](const tr::Request&) -> tr::Answer {
    return tr::Answer("go ahead").then_layer(tls);
  });
  EXPECT_EQ(later.say("STARTTLS\n"), "go ahead\n");
  EXPECT_EQ(later.say("GET / HTTP/1.1\r\n\r\n"), "400 use TLS\n");
}

TEST_P(TlsLayerTest, ADrainSaysCloseNotify) {
  const auto tls = make(options());
  Conversation talk(tr::lines(), answer, behind(tls));
  TlsClient client(talk, this->client());
  ASSERT_TRUE(client.shake_hands());
  EXPECT_EQ(client.say("x\n"), "<x>\n");
  const std::string last = talk.drain();
  EXPECT_FALSE(last.empty());
  EXPECT_EQ(talk.closed(), std::nullopt);
  talk.end();
  EXPECT_EQ(talk.closed(), tr::CloseReason::kDrained);
}

// RFC 3207: TLS begins behind an answer.
TEST_P(TlsLayerTest, MayBeginBehindAnAnswer) {
  const auto tls = make(options());
  Conversation talk(tr::lines(), [tls](const tr::Request& request) -> tr::Answer {
    if (request.text() == "STARTTLS") return tr::Answer("go ahead").then_layer(tls);
    return answer(request);
  });
  EXPECT_EQ(talk.say("plain\n"), "<plain>\n");
  EXPECT_EQ(talk.say("STARTTLS\n"), "go ahead\n");
  TlsClient client(talk, this->client("a.test"));
  ASSERT_TRUE(client.shake_hands());
  EXPECT_EQ(client.say("secret\n"), "<secret>\n");
  EXPECT_NE(client.say("LAYERS\n").find("tls.name=a.test"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Versions, TlsLayerTest, ::testing::Values(TLS1_2_VERSION, TLS1_3_VERSION),
                         [](const auto& which) {
                           return std::string(which.param == TLS1_2_VERSION ? "Tls12" : "Tls13");
                         });

}  // namespace
