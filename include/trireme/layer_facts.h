// What transport layers have told of a connection, as names with values.
//
// Thread: any; values.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trireme { inline namespace v0 {

struct LayerFact {
  std::string name{};   // such as "proxy.authority"; docs/proxy-protocol.md lists those of PROXY
  std::string value{};  // bytes that the peer, or the proxy in front of it, has chosen
};

class LayerFacts {
 public:
  // Any thread.
  void add(std::string name, std::string value) {
    facts_.push_back({std::move(name), std::move(value)});
  }
  // Any thread. The value of the first fact of that name; empty if there is none.
  std::string_view value(std::string_view name) const;
  // Any thread.
  bool has(std::string_view name) const;
  // Any thread. In the order in which they were told.
  const std::vector<LayerFact>& all() const { return facts_; }
  // Any thread. One line: "name=value" for each, separated by blanks. A byte of a value that is not
  // a printable character of ASCII, a blank or '%' is written as %XX.
  std::string text() const;
  // Any thread. What they take in memory, about.
  size_t bytes() const;

 private:
  std::vector<LayerFact> facts_{};
};

}}  // namespace trireme
