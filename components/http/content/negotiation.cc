#include "http/content/negotiation.h"

#include <algorithm>

#include "http/message/characters.h"

namespace trireme { inline namespace v0 { namespace http {

namespace {

// "0.5" as 500; what is no weight as 1000.
int read_weight(std::string_view text) {
  if (text.empty() || (text[0] != '0' && text[0] != '1')) return 1000;
  int weight = (text[0] - '0') * 1000;
  if (text.size() > 1 && text[1] != '.') return 1000;
  int unit = 100;
  for (const char byte : text.substr(std::min<size_t>(text.size(), 2))) {
    if (!is_digit(byte) || unit == 0) return 1000;
    weight += (byte - '0') * unit;
    unit /= 10;
  }
  return weight > 1000 ? 1000 : weight;
}

// The name of a member and its weight.
void read_member(std::string_view member, std::string_view& name, int& weight) {
  std::string_view part;
  next_member(member, ';', name);
  weight = 1000;
  while (next_member(member, ';', part)) {
    if (part.size() > 2 && to_lower(part[0]) == 'q' && part[1] == '=') {
      weight = read_weight(part.substr(2));
    }
  }
}

int weight_of_type(std::string_view accept, std::string_view type) {
  const std::string_view family = type.substr(0, type.find('/'));
  int best = -1, precision = -1, weight = 0;
  std::string_view member, name;
  while (next_member(accept, ',', member)) {
    read_member(member, name, weight);
    int precise = -1;
    if (equal_ignoring_case(name, type)) {
      precise = 2;
    } else if (name.ends_with("/*") &&
               equal_ignoring_case(name.substr(0, name.size() - 2), family)) {
      precise = 1;
    } else if (name == "*/*") {
      precise = 0;
    }
    if (precise > precision) {
      precision = precise;
      best = weight;
    }
  }
  return best;
}

}  // namespace

int weight_of(std::string_view list, std::string_view wanted) {
  int found = -1, weight = 0;
  std::string_view member, name;
  while (next_member(list, ',', member)) {
    read_member(member, name, weight);
    if (equal_ignoring_case(name, wanted)) return weight;
    if (name == "*") found = weight;
  }
  return found;
}

bool accepts_coding(std::string_view accept_encoding, std::string_view coding) {
  return weight_of(accept_encoding, coding) > 0;
}

bool prefers_type(std::string_view accept, std::string_view type, std::string_view other) {
  const int wanted = weight_of_type(accept, type);
  return wanted > 0 && wanted > weight_of_type(accept, other);
}

}}}  // namespace trireme::http
