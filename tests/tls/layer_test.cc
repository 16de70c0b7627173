// Goal: TLS as the library speaks it: handshake and records however they are cut, names,
// protocols, certificates of clients, both ends, what is no TLS.
// Method: OpenSSL as the client of a testing::Conversation; certificates that the test makes.
#include <memory>
#include <string>
#include <utility>

#include "support/lines_codec.h"
#include "tls/layer_fixture.h"

namespace {

namespace tr = trireme;
using support::answer;
using support::Identity;
using support::TlsClient;
using support::TlsLayerTest;
using tr::testing::Conversation;

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
  const Identity late("client two", "", &authority_, "P-256", std::chrono::hours(-24));
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

// As where one layer of TLS stands above another, and both end at once.
TEST_P(TlsLayerTest, LastWordsMayComeWithTheEnd) {
  const auto tls = make(options());
  const auto layer = tls->make("client");
  const std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context(SSL_CTX_new(TLS_client_method()),
                                                             SSL_CTX_free);
  SSL_CTX_set_max_proto_version(context.get(), GetParam());
  const std::unique_ptr<SSL, void (*)(SSL*)> ssl(SSL_new(context.get()), SSL_free);
  BIO* const in = BIO_new(BIO_s_mem());
  BIO* const out = BIO_new(BIO_s_mem());
  SSL_set_bio(ssl.get(), in, out);
  SSL_set_connect_state(ssl.get());
  const auto give = [&](bool ended, tr::LayerOutput& made) {
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(out, &bytes);  // NOLINT: OpenSSL's own type
    const std::string flight(bytes, static_cast<size_t>(size));
    BIO_reset(out);
    std::string_view left = flight;
    tr::LayerState state = layer->receive(left, ended, made);
    if (state == tr::LayerState::kWantsJob) state = layer->compute(made);
    BIO_write(in, made.to_peer.data(), static_cast<int>(made.to_peer.size()));
    return state;
  };
  tr::LayerState state = tr::LayerState::kShaking;
  for (int i = 0; i < 4 && state != tr::LayerState::kOpen; ++i) {
    SSL_do_handshake(ssl.get());
    tr::LayerOutput made;
    state = give(false, made);
  }
  ASSERT_EQ(state, tr::LayerState::kOpen);
  SSL_do_handshake(ssl.get());
  SSL_write(ssl.get(), "last", 4);
  SSL_shutdown(ssl.get());
  tr::LayerOutput made;
  EXPECT_EQ(give(true, made), tr::LayerState::kOpen);
  EXPECT_EQ(made.plain, "last");
  EXPECT_TRUE(made.peer_ended);
  EXPECT_FALSE(made.is_cut);
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
                         support::version_name);

}  // namespace
