// Command lines of ab_timer and pause_timer: `--name value`, `--name=value`, `--flag`, words.
// A mistake prints one sentence and ends the process with status 2.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace bench {

class Arguments {
 public:
  Arguments(int argc, char** argv);

  // Each takes its option out; what no call has asked for by the time of words() is a mistake.
  std::string text(std::string_view name, std::string_view fallback);
  double number(std::string_view name, double fallback, double min, double max);
  bool flag(std::string_view name);
  std::vector<std::string> words();

 private:
  std::vector<std::string> left_;
};

[[noreturn]] void fail_usage(std::string_view sentence);

}  // namespace bench
