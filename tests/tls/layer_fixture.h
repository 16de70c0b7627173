// What the tests of the layer share: a handler, certificates, servers and clients of a version.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "support/temporary_folder.h"
#include "tls/identity.h"
#include "tls/tls_client.h"
#include "trireme/tls.h"
#include "trireme/trireme.h"

namespace support {

namespace tr = trireme;

inline tr::Answer answer(const tr::Request& request) {
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

inline std::string version_name(const ::testing::TestParamInfo<int>& which) {
  return which.param == TLS1_2_VERSION ? "Tls12" : "Tls13";
}

}  // namespace support
