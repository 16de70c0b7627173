#include "accept/url_layers.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "framing/proxy_layer.h"

namespace trireme { inline namespace v0 {
namespace {

// What stands between the first '+' of the scheme and its ':'.
std::string_view names_of(std::string_view url) {
  const std::string_view scheme = url.substr(0, std::min(url.find(':'), url.size()));
  const size_t plus = scheme.find('+');
  return plus == scheme.npos ? std::string_view() : scheme.substr(plus);
}

Error usage(const Listening& listening, const std::string& what) {
  return {Error::Code::kUsage, "cannot listen at '" + listening.url + "': " + what};
}

}  // namespace

std::string without_layers(std::string_view url) {
  const std::string_view names = names_of(url);
  if (names.empty()) return std::string(url);
  const auto at = static_cast<size_t>(names.data() - url.data());
  return std::string(url.substr(0, at)) + std::string(url.substr(at + names.size()));
}

std::string with_layers_of(std::string_view url, std::string_view plain) {
  const size_t colon = std::min(plain.find(':'), plain.size());
  return std::string(plain.substr(0, colon)) + std::string(names_of(url)) +
         std::string(plain.substr(colon));
}

Result<Done> choose_layers(Listening& listening) {
  const std::string_view names = names_of(listening.url);
  const std::vector<std::string>& from = listening.options.proxy_from;
  if (!names.empty() && names != "+proxy") {
    return usage(listening, "'" + std::string(names) +
                                "' is no layer; there is one, +proxy, and it may be there once");
  }
  if (names.empty()) {
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

}}  // namespace trireme
