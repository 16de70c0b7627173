#include "tool/tls.h"

#include <algorithm>
#include <string_view>
#include <utility>
#ifdef TRIREME_HAS_TLS
#include "trireme/tls.h"
#endif

namespace tool {
namespace {

using Layer = std::shared_ptr<const tr::LayerFactory>;

tr::Error usage(std::string sentence) { return {tr::Error::Code::kUsage, std::move(sentence)}; }

#ifdef TRIREME_HAS_TLS

tr::TlsClients clients_of(const std::string& name) {
  if (name == "wanted") return tr::TlsClients::kWanted;
  return name == "required" ? tr::TlsClients::kRequired : tr::TlsClients::kOff;
}

tr::TlsOptions options_of(const TlsChoice& choice) {
  tr::TlsOptions options;
  for (size_t i = 0; i < choice.certificates.size(); ++i) {
    options.certificates.push_back(
        {.file = choice.certificates[i], .key_file = choice.keys.empty() ? "" : choice.keys[i]});
  }
  for (std::string_view left = choice.protocols; !left.empty();) {
    const size_t comma = std::min(left.find(','), left.size());
    options.alpn.emplace_back(left.substr(0, comma));
    left.remove_prefix(std::min(comma + 1, left.size()));
  }
  options.clients = clients_of(choice.clients);
  options.client_ca_file = choice.client_authorities;
  options.ticket_keys_file = choice.ticket_keys;
  return options;
}

void reload(tr::Tls& tls, const tr::LogSink& log) {
  const auto loaded = tls.reload();
  if (loaded) return log(tr::LogLevel::kInfo, "the certificates are loaded anew");
  log(tr::LogLevel::kError, "the certificates stay as they were: " + loaded.error().message);
}

#endif

}  // namespace

bool wants_tls(const std::string& url) {
  const std::string_view scheme = std::string_view(url).substr(0, url.find(':'));
  return scheme == "tls" || scheme.starts_with("tls+") || scheme.ends_with("+tls");
}

tr::Result<Layer> choose_tls(const TlsChoice& choice, const std::vector<std::string>& urls,
                             [[maybe_unused]] tr::ServerOptions& server) {
  if (std::none_of(urls.begin(), urls.end(), wants_tls)) {
    if (choice.is_empty()) return Layer();
    return usage("options that begin with --tls- need a URL tls://HOST:PORT");
  }
#ifdef TRIREME_HAS_TLS
  if (choice.certificates.empty()) return usage("tls:// needs --tls-cert FILE");
  if (!choice.keys.empty() && choice.keys.size() != choice.certificates.size())
    return usage("there must be one --tls-key for each --tls-cert, or none at all");
  auto made = tr::make_tls(options_of(choice));
  if (!made) return made.error();
  server.on_hang_up = [tls = made.value(), log = server.log] { reload(*tls, log); };
  return Layer(made.value());
#else
  return usage("this trireme was built without TLS");
#endif
}

}  // namespace tool
