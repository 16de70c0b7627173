#include "http/routing/route_tree.h"

#include <algorithm>
#include <set>
#include <stdexcept>

#include "http/message/target.h"

namespace trireme { inline namespace v0 { namespace http {

namespace {

constexpr std::array<std::string_view, 9> kNames = {"GET",    "HEAD",    "POST",  "PUT",    "PATCH",
                                                    "DELETE", "OPTIONS", "TRACE", "CONNECT"};

}  // namespace

uint32_t RouteTree::Routes::find(Method method, std::string_view name) const {
  if (method != Method::kOther) {
    const uint32_t found = of[static_cast<size_t>(method)];
    if (found == kNone && method == Method::kHead) return of[static_cast<size_t>(Method::kGet)];
    return found;
  }
  for (const auto& [other, route] : others) {
    if (other == name) return route;
  }
  return kNone;
}

RouteTree::Node& RouteTree::literal_of(Node& node, const std::string& segment) {
  auto at = std::lower_bound(node.literals.begin(), node.literals.end(), segment,
                             [](const auto& one, const std::string& b) { return one.first < b; });
  if (at == node.literals.end() || at->first != segment) {
    at = node.literals.emplace(at, segment, std::make_unique<Node>());
  }
  return *at->second;
}

const RouteTree::Node* RouteTree::find_literal(const Node& node, std::string_view segment) {
  const auto at =
      std::lower_bound(node.literals.begin(), node.literals.end(), segment,
                       [](const auto& one, std::string_view b) { return one.first < b; });
  return at == node.literals.end() || at->first != segment ? nullptr : at->second.get();
}

void RouteTree::add(Method method, std::string_view name, const RoutePattern& pattern,
                    uint32_t route) {
  Node* node = &root_;
  std::unique_ptr<Routes>* routes = nullptr;
  for (const RoutePattern::Piece& piece : pattern.pieces()) {
    if (piece.kind == RoutePattern::Piece::Kind::kRest) {
      routes = &node->rest;
    } else if (piece.kind == RoutePattern::Piece::Kind::kParameter) {
      if (node->parameter == nullptr) node->parameter = std::make_unique<Node>();
      node = node->parameter.get();
    } else {
      node = &literal_of(*node, piece.text);
    }
  }
  if (routes == nullptr) routes = &node->here;
  if (*routes == nullptr) *routes = std::make_unique<Routes>();
  const bool other = method == Method::kOther;
  const uint32_t before =
      other ? (*routes)->find(method, name) : (*routes)->of[static_cast<size_t>(method)];
  if (before != kNone) {
    throw std::invalid_argument("two routes for " + std::string(name) + " " + pattern.text());
  }
  if (other) {
    (*routes)->others.emplace_back(name, route);
  } else {
    (*routes)->of[static_cast<size_t>(method)] = route;
  }
}

// Depth is bounded by the pieces of the longest pattern.
template <class F>
bool RouteTree::walk(const Node& node, std::string_view path, const F& wanted) {
  std::string_view rest = path, segment;
  if (!next_segment(rest, segment)) {
    return (node.here != nullptr && wanted(*node.here)) ||
           (node.rest != nullptr && wanted(*node.rest));
  }
  if (!node.literals.empty()) {
    const bool coded = has_percent(segment);
    const Node* const next = coded ? find_literal(node, percent_decode(segment).value_or(""))
                                   : find_literal(node, segment);
    if (next != nullptr && walk(*next, rest, wanted)) return true;
  }
  if (node.parameter != nullptr && !segment.empty() && walk(*node.parameter, rest, wanted)) {
    return true;
  }
  return node.rest != nullptr && wanted(*node.rest);
}

uint32_t RouteTree::match(std::string_view path, Method method, std::string_view name) const {
  uint32_t found = kNone;
  walk(root_, segments_of(path), [&](const Routes& routes) {
    found = routes.find(method, name);
    return found != kNone;
  });
  return found;
}

std::string RouteTree::allowed(std::string_view path) const {
  std::set<std::string> names;
  walk(root_, segments_of(path), [&](const Routes& routes) {
    for (size_t i = 0; i < kMethods; ++i) {
      if (routes.of[i] != kNone) names.emplace(kNames[i]);
    }
    for (const auto& [other, route] : routes.others) names.insert(other);
    return false;
  });
  if (names.empty()) return {};
  if (names.count("GET") > 0) names.emplace("HEAD");
  names.emplace("OPTIONS");
  std::string list;
  for (const std::string& name : names) list.append(list.empty() ? "" : ", ").append(name);
  return list;
}

}}}  // namespace trireme::http
