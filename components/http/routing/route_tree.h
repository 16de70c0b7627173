// Which route a path and a method belong to: a tree of segments. Literals come before parameters,
// parameters before the rest of a path, whatever the order in which they were added.
//
// Step 3, framing. Thread: built before start(); then any, it only reads. A match looks at each
// node once at most.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/routing/route_pattern.h"
#include "trireme/http/message_facts.h"

namespace trireme { inline namespace v0 { namespace http {

class RouteTree {
 public:
  static constexpr uint32_t kNone = ~0u;

  // Before start(). `route`: any number for match() to give back. `name`: of the method, for those
  // that are Method::kOther. Throws std::invalid_argument if path and method have a route already.
  void add(Method method, std::string_view name, const RoutePattern& pattern, uint32_t route);

  // Any thread. The route of a path, which is not devious; kNone: the path or its method has none.
  // HEAD has the route of GET where it has none of its own.
  uint32_t match(std::string_view path, Method method, std::string_view name) const;

  // Any thread. The methods of a path for the field Allow, "GET, HEAD, OPTIONS"; empty: there is no
  // such path.
  std::string allowed(std::string_view path) const;

 private:
  static constexpr size_t kMethods = static_cast<size_t>(Method::kOther);

  struct Routes {
    Routes() { of.fill(kNone); }
    uint32_t find(Method method, std::string_view name) const;

    std::array<uint32_t, kMethods> of;
    std::vector<std::pair<std::string, uint32_t>> others{};
  };
  struct Node {
    std::vector<std::pair<std::string, std::unique_ptr<Node>>> literals{};  // sorted
    std::unique_ptr<Node> parameter{};
    std::unique_ptr<Routes> here{};
    std::unique_ptr<Routes> rest{};
  };

  static Node& literal_of(Node& node, const std::string& segment);
  static const Node* find_literal(const Node& node, std::string_view segment);
  // The first routes on the way through the tree that `wanted` takes.
  template <class F>
  static bool walk(const Node& node, std::string_view path, const F& wanted);

  Node root_;
};

}}}  // namespace trireme::http
