#include "trireme/layer_facts.h"

#include <algorithm>

namespace trireme { inline namespace v0 {
namespace {

void append_escaped(std::string& text, std::string_view value) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  for (const char each : value) {
    const auto byte = static_cast<unsigned char>(each);
    if (byte > 0x20 && byte < 0x7f && byte != '%') {
      text += each;
    } else {
      text += '%';
      text += kDigits[byte >> 4];
      text += kDigits[byte & 15];
    }
  }
}

}  // namespace

std::string_view LayerFacts::value(std::string_view name) const {
  const auto found = std::find_if(facts_.begin(), facts_.end(),
                                  [&](const LayerFact& fact) { return fact.name == name; });
  return found == facts_.end() ? std::string_view() : std::string_view(found->value);
}

bool LayerFacts::has(std::string_view name) const {
  return std::any_of(facts_.begin(), facts_.end(),
                     [&](const LayerFact& fact) { return fact.name == name; });
}

std::string LayerFacts::text() const {
  std::string text;
  for (const LayerFact& fact : facts_) {
    if (!text.empty()) text += ' ';
    text += fact.name;
    text += '=';
    append_escaped(text, fact.value);
  }
  return text;
}

size_t LayerFacts::bytes() const {
  size_t bytes = facts_.size() * sizeof(LayerFact);
  for (const LayerFact& fact : facts_) bytes += fact.name.size() + fact.value.size();
  return bytes;
}

}}  // namespace trireme
