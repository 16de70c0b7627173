#include "arguments.h"

#include <cstdio>
#include <cstdlib>

namespace bench {

void fail_usage(std::string_view sentence) {
  std::fprintf(stderr, "%.*s (--help lists the options)\n", static_cast<int>(sentence.size()),
               sentence.data());
  std::exit(2);
}

Arguments::Arguments(int argc, char** argv) : left_(argv + 1, argv + argc) {}

std::string Arguments::text(std::string_view name, std::string_view fallback) {
  const std::string with_value = std::string(name) + "=";
  for (auto it = left_.begin(); it != left_.end(); ++it) {
    if (it->starts_with(with_value)) {
      std::string value = it->substr(with_value.size());
      left_.erase(it);
      return value;
    }
    if (*it == name) {
      if (it + 1 == left_.end()) fail_usage(std::string(name) + " needs a value");
      std::string value = *(it + 1);
      left_.erase(it, it + 2);
      return value;
    }
  }
  return std::string(fallback);
}

double Arguments::number(std::string_view name, double fallback, double min, double max) {
  const std::string value = text(name, "");
  if (value.empty()) return fallback;
  char* end = nullptr;
  const double number = std::strtod(value.c_str(), &end);
  if (*end != '\0' || !(number >= min && number <= max)) {
    char range[80];
    std::snprintf(range, sizeof range, " must be a number from %g to %g", min, max);
    fail_usage(std::string(name) + range);
  }
  return number;
}

bool Arguments::flag(std::string_view name) { return std::erase(left_, name) > 0; }

std::vector<std::string> Arguments::words() {
  for (const std::string& word : left_) {
    if (word.starts_with("--")) fail_usage("unknown option or repeated: " + word);
  }
  return std::move(left_);
}

}  // namespace bench
