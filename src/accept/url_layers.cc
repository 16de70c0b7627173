#include "accept/url_layers.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "framing/proxy_layer.h"

namespace trireme { inline namespace v0 {
namespace {

// Schemes that stand for layers over TCP: "tls://" is "tcp+tls://". "http" and "https" say beside
// that which protocol is served; the codec of the listener serves it.
bool is_tls(std::string_view base) { return base == "tls" || base == "https"; }
bool is_over_tcp(std::string_view base) { return is_tls(base) || base == "http"; }

// What stands in front of the ':'.
std::string_view scheme_of(std::string_view url) {
  return url.substr(0, std::min(url.find(':'), url.size()));
}

// What stands between the first '+' of the scheme and its ':'.
std::string_view names_of(std::string_view url) {
  const std::string_view scheme = scheme_of(url);
  const size_t plus = scheme.find('+');
  return plus == scheme.npos ? std::string_view() : scheme.substr(plus);
}

std::string_view base_of(std::string_view url) {
  const std::string_view scheme = scheme_of(url);
  return scheme.substr(0, std::min(scheme.find('+'), scheme.size()));
}

Error usage(const Listening& listening, const std::string& what) {
  return {Error::Code::kUsage, "cannot listen at '" + listening.url + "': " + what};
}

// Puts it in front of the others.
Result<Done> choose_proxy(Listening& listening, bool has_proxy) {
  const std::vector<std::string>& from = listening.options.proxy_from;
  if (!has_proxy) {
    if (from.empty()) return Done{};
    return usage(listening, "proxy_from is of use with tcp+proxy:// only");
  }
  if (!from.empty() && listening.url.starts_with("unix+")) {
    return usage(listening, "a unix socket has the mode of its file instead of proxy_from");
  }
  std::vector<std::string> allowed = from;
  if (allowed.empty()) allowed = {"127.0.0.0/8", "::1"};
  for (const std::string& each : allowed) {
    if (const char* wrong = listening.proxy_senders.add(each))
      return usage(listening, "proxy_from has '" + each + "': " + wrong);
  }
  listening.demands_proxy = true;
  listening.layers.insert(listening.layers.begin(), std::make_shared<ProxyLayerFactory>());
  return Done{};
}

}  // namespace

std::string without_layers(std::string_view url) {
  const std::string_view base = base_of(url);
  return std::string(is_over_tcp(base) ? "tcp" : base) +
         std::string(url.substr(scheme_of(url).size()));
}

std::string with_layers_of(std::string_view url, std::string_view plain) {
  const std::string_view base = is_over_tcp(base_of(url)) ? base_of(url) : scheme_of(plain);
  return std::string(base) + std::string(names_of(url)) +
         std::string(plain.substr(scheme_of(plain).size()));
}

Result<Done> choose_layers(Listening& listening) {
  const std::string_view names = names_of(listening.url);
  const bool is_short = is_tls(base_of(listening.url));
  const bool has_tls = is_short || names.ends_with("+tls");
  const bool has_proxy = names.starts_with("+proxy");
  const size_t known = (has_proxy ? 6 : 0) + (has_tls && !is_short ? 4 : 0);
  if (names.size() != known) {
    return usage(listening, "'" + std::string(names) +
                                "' is no list of layers; there are +proxy and, behind it, +tls, "
                                "each once at most");
  }
  if (has_tls != (listening.options.tls != nullptr)) {
    return usage(listening, has_tls ? "TLS needs a certificate: set ListenOptions::tls, see "
                                      "trireme/tls.h"
                                    : "ListenOptions::tls is of use with tls:// or +tls only");
  }
  if (has_tls) listening.layers.insert(listening.layers.begin(), listening.options.tls);
  return choose_proxy(listening, has_proxy);
}

}}  // namespace trireme
