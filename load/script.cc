#include "load/script.h"

#include <fcntl.h>
#include <regex.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <utility>

#include "load/units.h"

namespace load {
namespace {

using Kind = ScriptStep::Kind;

constexpr size_t kFileBytesMax = 1 << 20;
constexpr uint64_t kTurnsMax = 1'000'000'000;

// One line of a script, read from the left.
class LineReader {
 public:
  explicit LineReader(std::string_view line) : rest_(line) {}

  // Up to the next blank. Empty: nothing is left.
  std::string_view word() {
    skip_blanks();
    const size_t size = std::min(rest_.find_first_of(" \t\r"), rest_.size());
    const std::string_view word = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return word;
  }

  bool at_end() {
    skip_blanks();
    return rest_.empty() || rest_.front() == '#';
  }

  // A text in double quotes. Empty: read it well; else what is wrong with it.
  std::string text(ScriptText& text) {
    std::string problem = open_quote();
    while (problem.empty() && !rest_.empty() && rest_.front() != '"') problem = element(text);
    return problem.empty() ? close_quote() : problem;
  }

  // As text(), but everything up to the closing quote stands for itself; \" is a quote.
  std::string raw_text(std::string& raw) {
    const std::string problem = open_quote();
    if (!problem.empty()) return problem;
    while (!rest_.empty() && rest_.front() != '"') {
      if (rest_.starts_with("\\\"")) take();
      raw += take();
    }
    return close_quote();
  }

 private:
  void skip_blanks() {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\r"), rest_.size()));
  }
  char take() {
    const char byte = rest_.front();
    rest_.remove_prefix(1);
    return byte;
  }
  std::string open_quote() {
    skip_blanks();
    if (rest_.empty() || take() != '"') return "expected a text in double quotes";
    return {};
  }
  std::string close_quote() {
    if (rest_.empty()) return "the text has no closing quote";
    take();
    return {};
  }

  std::string element(ScriptText& text) {
    if (rest_.starts_with("${")) return variable(text);
    const char byte = take();
    if (byte == '\\') return escape(text);
    text.add_literal(byte);
    return {};
  }

  std::string variable(ScriptText& text) {
    const size_t close = rest_.find('}');
    const std::string_view name = rest_.substr(2, close == rest_.npos ? close : close - 2);
    if (close == rest_.npos || !text.add_variable(name)) {
      return "the variables are ${connection} and ${round}; write \\$ for a dollar";
    }
    rest_.remove_prefix(close + 1);
    return {};
  }

  std::string escape(ScriptText& text) {
    constexpr std::string_view kNames = "nrt0\\\"$";
    constexpr std::string_view kBytes{"\n\r\t\0\\\"$", 7};
    const char name = rest_.empty() ? '"' : rest_.front();
    if (!rest_.empty()) rest_.remove_prefix(1);
    if (const size_t known = kNames.find(name); known != kNames.npos) {
      text.add_literal(kBytes[known]);
      return {};
    }
    unsigned value = 0;
    const char* const digits = rest_.data();
    if (name == 'x' && rest_.size() >= 2 &&
        std::from_chars(digits, digits + 2, value, 16).ptr == digits + 2) {
      rest_.remove_prefix(2);
      text.add_literal(static_cast<char>(value));
      return {};
    }
    return "the escapes are \\n \\r \\t \\0 \\\\ \\\" \\$ \\xHH";
  }

  std::string_view rest_;
};

std::string check_regex(const std::string& pattern) {
  regex_t compiled;
  const int status = ::regcomp(&compiled, pattern.c_str(), REG_EXTENDED | REG_NOSUB);
  if (status == 0) {
    ::regfree(&compiled);
    return {};
  }
  char why[128];
  ::regerror(status, &compiled, why, sizeof why);
  return std::string("the regular expression does not compile: ") + why;
}

class Parser {
 public:
  tr::Result<Script> parse(std::string_view text) {
    size_t number = 0;
    while (!text.empty()) {
      const size_t size = std::min(text.find('\n'), text.size());
      const std::string problem = parse_line(text.substr(0, size), ++number);
      if (!problem.empty()) return error(number, problem);
      text.remove_prefix(std::min(size + 1, text.size()));
    }
    if (!open_.empty()) return error(script_.steps[open_.back()].line, "repeat without an end");
    const auto& steps = script_.steps;
    if (std::none_of(steps.begin(), steps.end(), [](const auto& step) { return step.expects(); })) {
      return tr::Error{tr::Error::Code::kUsage,
                       "the script expects nothing: nothing tells that the server answers"};
    }
    return std::move(script_);
  }

 private:
  static tr::Error error(size_t line, const std::string& problem) {
    return {tr::Error::Code::kUsage, "line " + std::to_string(line) + ": " + problem};
  }

  std::string parse_line(std::string_view line, size_t number) {
    LineReader reader(line);
    if (reader.at_end()) return {};
    const std::string_view name = reader.word();
    const auto kind = kind_of(name);
    if (!kind) {
      return "there is no step \"" + std::string(name) +
             "\": the steps are send, expect, expect-line, expect-regex, expect-close, pause, "
             "repeat, end, close";
    }
    ScriptStep step{.kind = *kind, .line = number};
    std::string problem = parse_arguments(reader, step);
    if (problem.empty() && !reader.at_end()) problem = "too much behind " + std::string(name);
    if (problem.empty()) script_.steps.push_back(std::move(step));
    return problem;
  }

  static std::optional<Kind> kind_of(std::string_view name) {
    constexpr std::pair<std::string_view, Kind> kKinds[] = {{"send", Kind::kSend},
                                                            {"expect", Kind::kExpect},
                                                            {"expect-line", Kind::kExpectLine},
                                                            {"expect-regex", Kind::kExpectRegex},
                                                            {"expect-close", Kind::kExpectClose},
                                                            {"pause", Kind::kPause},
                                                            {"repeat", Kind::kRepeat},
                                                            {"end", Kind::kEnd},
                                                            {"close", Kind::kClose}};
    for (const auto& [known, kind] : kKinds) {
      if (known == name) return kind;
    }
    return std::nullopt;
  }

  std::string parse_arguments(LineReader& reader, ScriptStep& step) {
    switch (step.kind) {
      case Kind::kSend:
      case Kind::kExpect: {
        const std::string problem = reader.text(step.text);
        return problem.empty() && step.text.empty() ? "the text is empty" : problem;
      }
      case Kind::kExpectLine:
        step.any_line = reader.at_end();
        return step.any_line ? std::string() : reader.text(step.text);
      case Kind::kExpectRegex: {
        const std::string problem = reader.raw_text(step.regex);
        return problem.empty() ? check_regex(step.regex) : problem;
      }
      case Kind::kPause: {
        const auto time = parse_duration_in(reader.word(), {.min = kDurationMin});
        if (!time) return time.error().message;
        step.pause_ns = time.value().count();
        return {};
      }
      case Kind::kRepeat:
        return parse_repeat(reader, step);
      case Kind::kEnd:
        return parse_end(step);
      case Kind::kExpectClose:
      case Kind::kClose:
        return {};
    }
    return {};
  }

  std::string parse_repeat(LineReader& reader, ScriptStep& step) {
    const std::string_view turns = reader.word();
    step.turns = ScriptStep::kForever;
    if (turns != "forever") {
      const auto number = parse_count(turns, {1, kTurnsMax});
      if (!number) return number.error().message + ", or forever";
      step.turns = number.value();
    }
    open_.push_back(script_.steps.size());
    return {};
  }

  std::string parse_end(ScriptStep& step) {
    if (open_.empty()) return "end without a repeat";
    const size_t repeat = open_.back();
    open_.pop_back();
    step.first_inner = repeat + 1;
    step.forever = script_.steps[repeat].turns == ScriptStep::kForever;
    const auto inner = script_.steps.begin() + static_cast<std::ptrdiff_t>(step.first_inner);
    if (std::none_of(inner, script_.steps.end(), [](const auto& each) { return each.waits(); })) {
      return "what is repeated waits for nothing: it needs an expect, a pause or a close";
    }
    return {};
  }

  Script script_;
  std::vector<size_t> open_;  // repeats
};

// Whatever the file is: a folder, a device without an end, a pipe.
tr::Result<std::string> read_file(const std::string& file) {
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
  std::string text(kFileBytesMax + 1, '\0');
  size_t size = 0;
  ssize_t part = fd < 0 ? -1 : 1;
  while (part > 0 && size < text.size()) {
    part = ::read(fd, text.data() + size, text.size() - size);
    if (part > 0) size += static_cast<size_t>(part);
  }
  const int error = errno;
  if (fd >= 0) ::close(fd);
  if (part < 0) {
    return tr::Error{tr::Error::Code::kUsage, "cannot read " + file + ": " + std::strerror(error)};
  }
  if (size > kFileBytesMax) {
    return tr::Error{tr::Error::Code::kUsage, file + ": a script has at most 1MiB"};
  }
  text.resize(size);
  return text;
}

}  // namespace

void ScriptText::add_literal(char byte) {
  if (pieces_.empty() || pieces_.back().kind != Kind::kLiteral) pieces_.push_back({Kind::kLiteral});
  pieces_.back().bytes += byte;
}

bool ScriptText::add_variable(std::string_view name) {
  if (name != "connection" && name != "round") return false;
  pieces_.push_back({name == "round" ? Kind::kRound : Kind::kConnection});
  return true;
}

void ScriptText::append_to(std::string& out, uint64_t connection, uint64_t round) const {
  char digits[24];
  for (const Piece& piece : pieces_) {
    if (piece.kind == Kind::kLiteral) {
      out += piece.bytes;
      continue;
    }
    const uint64_t number = piece.kind == Kind::kRound ? round : connection;
    const char* const end = std::to_chars(digits, digits + sizeof digits, number).ptr;
    out.append(digits, static_cast<size_t>(end - digits));
  }
}

bool Script::pauses() const {
  return std::any_of(steps.begin(), steps.end(),
                     [](const ScriptStep& step) { return step.kind == Kind::kPause; });
}

tr::Result<Script> parse_script(std::string_view text) { return Parser().parse(text); }

tr::Result<Script> read_script(const std::string& file) {
  const auto text = read_file(file);
  if (!text) return text.error();
  auto script = parse_script(text.value());
  if (!script) return tr::Error{script.error().code, file + ", " + script.error().message};
  return script;
}

}  // namespace load
