// Goal: what cannot be served is refused with a sentence that names the file or the option, and a
// reload that cannot be leaves all as it was.
// Method: options and files with one thing wrong each.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>
#include <utility>

#include "support/temporary_folder.h"
#include "tls/identity.h"
#include "tls/ticket_keys.h"
#include "tls/tls_client.h"
#include "trireme/tls.h"
#include "trireme/trireme.h"

namespace {

namespace tr = trireme;
using support::Identity;

std::string refusal(tr::TlsOptions options) {
  const auto made = tr::make_tls(std::move(options));
  return made ? "it is made" : made.error().message;
}

class TlsOptionsTest : public ::testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_.file(name)) << text;
    return folder_.file(name);
  }
  const support::TemporaryFolder folder_;
  const Identity one_{"one.test", "DNS:one.test", nullptr};
  const Identity two_{"two.test", "DNS:two.test", nullptr};
  const std::string file_ = one_.write_certificate(folder_.file(""), "one.pem");
  const std::string key_ = one_.write_key(folder_.file(""), "one.key");
};

TEST_F(TlsOptionsTest, WhatIsWrongIsNamed) {
  const tr::TlsOptions good{.certificates = {{.file = file_, .key_file = key_}}};
  EXPECT_EQ(refusal(good), "it is made");
  EXPECT_EQ(refusal({}), "tls needs a certificate, and has none");
  tr::TlsOptions wrong = good;
  wrong.certificates[0].file = folder_.file("none.pem");
  EXPECT_EQ(refusal(wrong),
            "cannot read '" + folder_.file("none.pem") + "': No such file or directory");
  wrong = good;
  wrong.certificates[0].key_file = two_.write_key(folder_.file(""), "two.key");
  EXPECT_TRUE(refusal(wrong).starts_with("'" + wrong.certificates[0].key_file +
                                         "' is not the key of the certificate in '" + file_ + "'"))
      << refusal(wrong);
  wrong.certificates[0].key_file = write("text.key", "no key\n");
  EXPECT_TRUE(refusal(wrong).starts_with("'" + folder_.file("text.key") + "' holds no key in PEM"));
  wrong = good;
  wrong.certificates[0].ocsp_file = write("text.ocsp", "no response");
  EXPECT_TRUE(
      refusal(wrong).starts_with("'" + folder_.file("text.ocsp") + "' holds no OCSP response"));
  wrong = good;
  wrong.ciphers = "NO-SUCH-CIPHER";
  EXPECT_TRUE(refusal(wrong).starts_with("ciphers cannot be used"));
  wrong = good;
  wrong.groups = "no-such-group";
  EXPECT_TRUE(refusal(wrong).starts_with("groups cannot be used"));
  wrong = good;
  wrong.clients = tr::TlsClients::kRequired;
  EXPECT_EQ(refusal(wrong), "certificates of clients cannot be verified without client_ca_file");
  wrong.client_ca_file = write("text.pem", "no certificate");
  EXPECT_TRUE(refusal(wrong).starts_with("'" + wrong.client_ca_file + "' holds no certificates"));
  wrong = good;
  wrong.ticket_keys_file = write("short.key", "short");
  EXPECT_TRUE(refusal(wrong).starts_with("'" + wrong.ticket_keys_file + "' holds no ticket keys"));
}

TEST_F(TlsOptionsTest, AUrlWantsThemOrDoesNot) {
  const auto start = [&](const std::string& url, bool with) {
    tr::Server server({.io_workers = 1});
    tr::ListenOptions listen;
    if (with) listen.tls = tr::make_tls({.certificates = {{file_, key_}}}).value();
    server.listen(
        url, tr::lines(), [](const tr::Request& r) -> tr::Answer { return r.own(); }, listen);
    const auto started = server.start();
    return started ? server.urls()[0].substr(0, server.urls()[0].find("://"))
                   : started.error().message;
  };
  EXPECT_EQ(start("tls://127.0.0.1:0", true), "tls");
  EXPECT_EQ(start("tls+proxy://127.0.0.1:0", true), "tls+proxy");
  EXPECT_EQ(start("tcp+proxy+tls://127.0.0.1:0", true), "tcp+proxy+tls");
  EXPECT_EQ(start("tls://127.0.0.1:0", false),
            "cannot listen at 'tls://127.0.0.1:0': TLS needs a certificate: set "
            "ListenOptions::tls, see trireme/tls.h");
  EXPECT_EQ(start("tcp://127.0.0.1:0", true),
            "cannot listen at 'tcp://127.0.0.1:0': ListenOptions::tls is of use with tls:// or "
            "+tls only");
}

TEST_F(TlsOptionsTest, AReloadThatCannotBeChangesNothing) {
  const auto tls = tr::make_tls({.certificates = {{file_, key_}}}).value();
  const auto shown = [&] {
    tr::ListenOptions listen;
    listen.layers = {tls};
    tr::testing::Conversation talk(
        tr::lines(), [](const tr::Request& r) -> tr::Answer { return r.own(); }, listen);
    support::TlsClient client(talk, {});
    EXPECT_TRUE(client.shake_hands());
    return client.server_name();
  };
  EXPECT_EQ(shown(), "one.test");
  two_.write_certificate(folder_.file(""), "one.pem");
  EXPECT_FALSE(tls->reload());  // its key is another one's
  EXPECT_EQ(shown(), "one.test");
  two_.write_key(folder_.file(""), "one.key");
  EXPECT_TRUE(tls->reload());
  EXPECT_EQ(shown(), "two.test");
  EXPECT_EQ(tls->stats().reloads, 1u);
  EXPECT_EQ(tls->stats().reloads_failed, 1u);
}

TEST(TicketKeys, AreReadInEveryForm) {
  const std::string large(80, 'a'), small(48, 'b');
  const auto count = [](const std::string& bytes) {
    const auto parsed = tr::tls::parse_ticket_keys("file", bytes);
    return parsed ? parsed.value().size() : 0;
  };
  EXPECT_EQ(count(large), 1u);
  EXPECT_EQ(count(large + large), 2u);
  EXPECT_EQ(count(small), 1u);
  std::string text;
  for (int i = 0; i < 27; ++i) text += "YWFh";  // 81 bytes: no key
  EXPECT_EQ(count(text), 0u);
  text = text.substr(0, 104) + "YWE=";  // 80
  EXPECT_EQ(count(text), 1u);
  EXPECT_EQ(count(text + "\n" + text + "\n"), 2u);
  EXPECT_EQ(count(""), 0u);
  EXPECT_EQ(count("short"), 0u);
}

// Left out in silence, what is damaged would be missed by clients alone.
TEST_F(TlsOptionsTest, ADamagedCertificateBehindOthersIsNamed) {
  const auto text_of = [](const std::string& file) {
    std::ifstream from(file);
    return std::string(std::istreambuf_iterator<char>(from), {});
  };
  std::string damaged = text_of(two_.write_certificate(folder_.file(""), "two.pem"));
  damaged.replace(damaged.size() / 2, 4, "!!!!");
  const std::string both = write("both.pem", text_of(file_) + damaged);
  EXPECT_TRUE(refusal({.certificates = {{.file = both, .key_file = key_}}})
                  .starts_with("'" + both + "' holds a certificate that cannot be read: "));
  EXPECT_TRUE(refusal({.certificates = {{.file = file_, .key_file = key_}},
                       .clients = tr::TlsClients::kRequired,
                       .client_ca_file = both})
                  .starts_with("'" + both + "' holds a certificate that cannot be read: "));
  // A key in the same file, or a text, is none.
  const std::string with_key = write("with_key.pem", text_of(file_) + text_of(key_) + "a text\n");
  EXPECT_EQ(refusal({.certificates = {{.file = with_key}}}), "it is made");
}

TEST(TicketKeys, OwnOnesAreRenewed) {
  tr::tls::TicketKeys keys(std::chrono::seconds(3600));
  const auto first = keys.current();
  ASSERT_TRUE(first);
  EXPECT_EQ(keys.current()->name, first->name);
  bool is_current = false;
  EXPECT_TRUE(keys.find(first->name.data(), is_current));
  EXPECT_TRUE(is_current);
  std::vector<tr::tls::TicketKey> shared(2);
  shared[1].name[0] = 1;
  keys.use(shared, 2);
  keys.use({tr::tls::TicketKey()}, 1);  // of a reload that has begun earlier
  EXPECT_FALSE(keys.find(first->name.data(), is_current));
  EXPECT_TRUE(keys.find(shared[1].name.data(), is_current));
  EXPECT_FALSE(is_current);
}

}  // namespace
