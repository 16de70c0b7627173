// Goal: sessions resume by tickets where they may, and nowhere else: under other names, with forged
// tickets, behind the end of a client's certificate.
// Method: OpenSSL as the client of a testing::Conversation; certificates that the test makes.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "support/wait.h"
#include "tls/layer_fixture.h"

namespace {

namespace tr = trireme;
using support::answer;
using support::Identity;
using support::TlsClient;
using tr::testing::Conversation;

class TlsSessionTest : public support::TlsLayerTest {};

TEST_P(TlsSessionTest, ResumesUnderTheSameNameOnly) {
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

// A ticket of TLS 1.3 is for one use, so a connection that resumes gets the next one.
TEST_P(TlsSessionTest, EachResumptionBringsANewTicket) {
  const auto tls = make(options());
  using Session = std::unique_ptr<SSL_SESSION, void (*)(SSL_SESSION*)>;
  Session newest(nullptr, SSL_SESSION_free);
  std::vector<Session> used;
  for (int i = 0; i < 5; ++i) {
    Conversation talk(tr::lines(), answer, behind(tls));
    support::TlsClientOptions with = client("a.test");
    with.session = newest.get();
    TlsClient one(talk, with);
    ASSERT_TRUE(one.shake_hands());
    EXPECT_EQ(SSL_session_reused(one.ssl()), i > 0 ? 1 : 0);
    EXPECT_EQ(one.say("x\n"), "<x>\n");
    used.push_back(std::move(newest));
    newest.reset(SSL_get1_session(one.ssl()));
    EXPECT_TRUE(GetParam() == TLS1_2_VERSION || newest != used.back());
    one.end();
  }
}

// Its certificate is looked at anew, and it has none to show.
TEST_P(TlsSessionTest, ASessionEndsWithTheCertificateOfItsClient) {
  tr::TlsOptions with = options();
  with.clients = tr::TlsClients::kRequired;
  with.client_ca_file = authority_.write_certificate(folder_.file(""), "ca.pem");
  const auto tls = make(with);
  const Identity brief("client", "", &authority_, "P-256", std::chrono::seconds(3));
  support::TlsClientOptions who = client();
  who.identity = &brief;
  Conversation talk(tr::lines(), answer, behind(tls));
  TlsClient first(talk, who);
  ASSERT_TRUE(first.shake_hands());
  EXPECT_EQ(first.say("x\n"), "<x>\n");
  const std::unique_ptr<SSL_SESSION, void (*)(SSL_SESSION*)> session(SSL_get1_session(first.ssl()),
                                                                     SSL_SESSION_free);
  who = client();
  who.session = session.get();
  const auto is_served = [&] {
    Conversation again(tr::lines(), answer, behind(tls));
    TlsClient second(again, who);
    return second.shake_hands() && second.say("x\n") == "<x>\n";
  };
  EXPECT_TRUE(is_served());
  ASSERT_TRUE(support::wait_until(
      [&] { return X509_cmp_current_time(X509_get0_notAfter(brief.certificate())) < 0; }));
  EXPECT_FALSE(is_served());
}

// Whichever of its bytes is changed: name of the key, initial value, cipher text, MAC.
TEST_P(TlsSessionTest, AForgedTicketLeadsToAFullHandshake) {
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

INSTANTIATE_TEST_SUITE_P(Versions, TlsSessionTest,
                         ::testing::Values(TLS1_2_VERSION, TLS1_3_VERSION), support::version_name);

}  // namespace
