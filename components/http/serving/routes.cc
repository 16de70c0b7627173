#include "trireme/http/routes.h"

#include <array>
#include <optional>
#include <stdexcept>

#include "http/files/file_server.h"
#include "http/message/characters.h"
#include "http/message/head.h"
#include "http/serving/route_table.h"
#include "http/serving/websocket_codec.h"

namespace trireme { inline namespace v0 { namespace http {

namespace {

class WebSocketHandler final : public detail::RouteHandler {
 public:
  explicit WebSocketHandler(std::shared_ptr<const WebSocketRoute> route)
      : route_(std::move(route)) {}

  void run(const Request&, detail::Exchange& exchange) const override { exchange.upgrade(route_); }
  bool upgrades() const override { return true; }

 private:
  std::shared_ptr<const WebSocketRoute> route_;  // owners: this, and open WebSockets
};

}  // namespace

Method method_of(std::string_view name) {
  constexpr std::array<std::string_view, 9> names = {
      "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"};
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) return static_cast<Method>(i);
  }
  return Method::kOther;
}

Routes::Routes() : table_(std::make_unique<Table>()) {}
Routes::~Routes() = default;
Routes::Routes(Routes&&) noexcept = default;
Routes& Routes::operator=(Routes&&) noexcept = default;

Routes& Routes::add(std::string_view method, std::string_view pattern,
                    std::unique_ptr<detail::RouteHandler> handler, const RouteOptions& options) {
  if (!is_known_method(method)) {
    throw std::invalid_argument("no request has the method '" + std::string(method) + "'");
  }
  Route route{.method = method_of(method),
              .method_name = std::string(method),
              .pattern = RoutePattern(pattern),
              .handler = std::move(handler),
              .options = options};
  const auto number = static_cast<uint32_t>(table_->routes.size());
  table_->tree.add(route.method, method, route.pattern, number);
  table_->routes.push_back(std::move(route));
  return *this;
}

Routes& Routes::add_websocket(std::string_view pattern, WebSocketOptions options,
                              std::unique_ptr<detail::WebSocketFactory> factory) {
  auto route = std::make_shared<WebSocketRoute>();
  route->handshake = {options.subprotocols, options.origins, options.deflate};
  route->options = std::move(options);
  route->factory = std::move(factory);
  return add("GET", pattern, std::make_unique<WebSocketHandler>(std::move(route)), {});
}

Routes& Routes::files(std::string_view prefix, const std::string& folder, FilesOptions options) {
  const auto server = std::make_shared<FileServer>(folder, std::move(options));
  while (prefix.ends_with('/')) prefix.remove_suffix(1);
  return get(
      std::string(prefix) + "/*path",
      [server](const Request& request) { return server->serve(request, request.param("path")); },
      {.body_bytes_max = 0});
}

Routes& Routes::mount(std::string_view prefix, Routes other) {
  if (!prefix.empty() && (!prefix.starts_with('/') || prefix.ends_with('/'))) {
    throw std::invalid_argument("a prefix begins with a slash and ends without one");
  }
  for (Route& route : other.table_->routes) {
    const std::string pattern = std::string(prefix) + route.pattern.text();
    add(route.method_name, pattern, std::move(route.handler), route.options);
  }
  // Hooks of the other routes run for their paths alone.
  std::optional<RoutePattern> below;
  if (!prefix.empty()) below.emplace(prefix);
  const auto is_below = [below = std::move(below)](const Request& request) {
    return !below || below->leads(request.path());
  };
  for (auto& hook : other.table_->before) {
    before([is_below, hook = std::move(hook)](const Request& request) -> std::optional<Response> {
      if (!is_below(request)) return std::nullopt;
      return hook(request);
    });
  }
  for (auto& hook : other.table_->after) {
    after([is_below, hook = std::move(hook)](const Request& request, Response& response) {
      if (is_below(request)) hook(request, response);
    });
  }
  return *this;
}

Routes& Routes::before(std::function<std::optional<Response>(const Request&)> hook) {
  table_->before.push_back(std::move(hook));
  return *this;
}

Routes& Routes::after(std::function<void(const Request&, Response&)> hook) {
  table_->after.push_back(std::move(hook));
  return *this;
}

}}}  // namespace trireme::http
