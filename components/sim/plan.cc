// Plans as text: how a failing run is written down and repeated.
#include <charconv>

#include "trireme/sim/explore.h"

namespace trireme { inline namespace v0 { namespace sim {
namespace {

template <typename Number>
bool parse_number(std::string_view text, Number& number) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
  return !text.empty() && result.ec == std::errc() && result.ptr == text.data() + text.size();
}

// The text before the next `end`, which is taken off `rest`.
std::string_view take_until(std::string_view& rest, char end) {
  const size_t at = rest.find(end);
  const std::string_view part = rest.substr(0, at);
  rest.remove_prefix(at == std::string_view::npos ? rest.size() : at + 1);
  return part;
}

std::optional<FaultKind> kind_named(std::string_view name) {
  for (int kind = 0; kind < kFaultKindCount; ++kind) {
    if (to_string(static_cast<FaultKind>(kind)) == name) return static_cast<FaultKind>(kind);
  }
  return std::nullopt;
}

// "kind:number" or "kind:client.number"
bool parse_fault(std::string_view text, PlannedFault& fault) {
  const auto kind = kind_named(take_until(text, ':'));
  if (!kind) return false;
  fault.kind = *kind;
  if (text.find('.') != std::string_view::npos &&
      !parse_number(take_until(text, '.'), fault.client)) {
    return false;
  }
  return parse_number(text, fault.number);
}

bool parse_part(std::string_view name, std::string_view text, Plan& plan) {
  if (name == "seed") return parse_number(text, plan.seed);
  if (name == "clients") {
    plan.clients.emplace();
    while (!text.empty()) {
      if (!parse_number(take_until(text, ','), plan.clients->emplace_back())) return false;
    }
    return true;
  }
  if (name != "faults") return false;
  plan.faults.emplace();
  while (!text.empty()) {
    if (!parse_fault(take_until(text, ','), plan.faults->emplace_back())) return false;
  }
  return true;
}

}  // namespace

std::string Plan::text() const {
  std::string text = "seed=" + std::to_string(seed);
  const char* comma = "";
  if (clients) {
    text += " clients=";
    for (const uint32_t client : *clients) {
      text += comma + std::to_string(client);
      comma = ",";
    }
  }
  comma = "";
  if (faults) {
    text += " faults=";
    for (const PlannedFault& fault : *faults) {
      text += comma + std::string(to_string(fault.kind)) + ":";
      if (fault.client != 0) text += std::to_string(fault.client) + ".";
      text += std::to_string(fault.number);
      comma = ",";
    }
  }
  return text;
}

std::optional<Plan> Plan::parse(std::string_view text) {
  Plan plan;
  bool has_seed = false;
  while (!text.empty()) {
    std::string_view part = take_until(text, ' ');
    if (part.empty()) continue;
    const std::string_view name = take_until(part, '=');
    if (!parse_part(name, part, plan)) return std::nullopt;
    has_seed = has_seed || name == "seed";
  }
  if (!has_seed) return std::nullopt;
  return plan;
}

}}}  // namespace trireme::sim
