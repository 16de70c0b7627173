// What http::Routes has gathered.
//
// Step 4. Thread: before start() one; then any, it only reads.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "http/routing/route_pattern.h"
#include "http/routing/route_tree.h"
#include "trireme/http/routes.h"

namespace trireme { inline namespace v0 { namespace http {

struct Route {
  Method method = Method::kGet;
  std::string method_name{};
  RoutePattern pattern;
  std::unique_ptr<detail::RouteHandler> handler{};
  RouteOptions options{};
};

struct Routes::Table {
  std::vector<Route> routes{};
  RouteTree tree{};
  std::vector<std::function<std::optional<Response>(const Request&)>> before{};
  std::vector<std::function<void(const Request&, Response&)>> after{};
};

// The method of a name; kOther: any other token.
Method method_of(std::string_view name);

}}}  // namespace trireme::http
