#include "tool/bench/tls_options.h"

#include <string>

#include "tool/bench/takes.h"

namespace bench {
namespace {

constexpr const char* kGroup = "TLS, to a server tls://HOST:PORT";

}  // namespace

std::vector<Option> tls_options(load::TlsClientOptions& tls) {
  const auto version = [&tls](const std::string& text) -> tr::Result<tr::Done> {
    if (text != "1.2" && text != "1.3") return usage("expected 1.2 or 1.3, got \"" + text + "\"");
    tls.version = text;
    return tr::Done{};
  };
  const auto resume = [&tls](const std::string&) -> tr::Result<tr::Done> {
    tls.resumes = true;
    return tr::Done{};
  };
  return {{"--tls-ca", "FILE", "",
           "authorities, in PEM, that must have signed the server's certificate, which must be for "
           "its name; without them every certificate is taken",
           kGroup, words(tls.authorities)},
          {"--tls-name", "NAME", "", "of the server; if not given, the host of the URL", kGroup,
           words(tls.name)},
          {"--tls-alpn", "A,B", "", "application protocols that are offered", kGroup,
           words(tls.protocols)},
          {"--tls-version", "V", "", "1.2 or 1.3 alone", kGroup, version},
          {"--tls-resume", "", "",
           "resume sessions by tickets, those of TLS 1.3 once; without it each handshake is full",
           kGroup, resume}};
}

tr::Result<tr::Done> check_tls(const BenchOptions& options, const load::Endpoint& server) {
  if (server.is_tls) {
    const auto made = load::make_tls_client(options.run.load.tls, server.host);
    return made ? tr::Result<tr::Done>(tr::Done{}) : made.error();
  }
  if (options.needs_tls) return usage("the scenario handshakes needs a URL tls://HOST:PORT");
  for (const std::string& option : options.given) {
    if (option.starts_with("--tls-")) return usage(option + " needs a URL tls://HOST:PORT");
  }
  return tr::Done{};
}

}  // namespace bench
