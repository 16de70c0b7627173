// How the command line speaks: help that fits the terminal, and one sentence for each line that is
// wrong.
//
// Part of the tool; only main.cc includes it, and knows CLI11 like this file. Main thread.
#pragma once

#include <CLI/App.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "tool/terminal.h"

namespace tool {

// `trireme serve echo`: the words up to here.
inline std::string path_of(const CLI::App& app) {
  const CLI::App* const parent = app.get_parent();
  return parent == nullptr ? app.get_name() : path_of(*parent) + " " + app.get_name();
}

// No line is longer than the terminal, or than 80 columns.
class HelpFormatter final : public CLI::Formatter {
 public:
  explicit HelpFormatter(size_t columns)
      : columns_(std::clamp<size_t>(columns, kColumnsMin, kUsualColumns)) {}

  std::string make_description(const CLI::App* app) const override {
    return fit(Formatter::make_description(app), columns_);
  }
  std::string make_usage(const CLI::App* app, std::string name) const override {
    return fit(Formatter::make_usage(app, std::move(name)), columns_);
  }
  std::string make_footer(const CLI::App* app) const override {
    return fit(Formatter::make_footer(app), columns_);
  }
  std::string make_option(const CLI::Option* option, bool is_positional) const override {
    return entry(make_option_name(option, is_positional) + make_option_opts(option),
                 make_option_desc(option));
  }
  std::string make_subcommand(const CLI::App* sub) const override {
    return entry(sub->get_name(), sub->get_description());
  }

 private:
  static constexpr size_t kColumnsMin = 20;
  static constexpr size_t kDescriptions = 30;       // where they begin ...
  static constexpr size_t kNarrowDescriptions = 6;  // ... or do if that leaves too little room
  static constexpr size_t kWide = 60;

  std::string entry(const std::string& name, const std::string& description) const {
    const size_t column = columns_ >= kWide ? kDescriptions : kNarrowDescriptions;
    std::string text = "  " + name;
    if (text.size() + 1 < column) {
      text.append(column - text.size(), ' ');
    } else {
      text.append("\n").append(column, ' ');
    }
    for (const char each : fit(description, columns_ - column)) {
      text += each;
      if (each == '\n') text.append(column, ' ');
    }
    return text + "\n";
  }

  const size_t columns_;
};

// How many bytes must be put in, taken out or changed to make one of the other.
inline size_t distance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t i = 0; i <= b.size(); ++i) row[i] = i;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0]++;
    for (size_t k = 1; k <= b.size(); ++k) {
      const size_t changed = diagonal + (a[i - 1] == b[k - 1] ? 0 : 1);
      diagonal = row[k];
      row[k] = std::min({row[k] + 1, row[k - 1] + 1, changed});
    }
  }
  return row[b.size()];
}

// What the words of a wrong command line are to CLI11, in our words.
class UsageError {
 public:
  UsageError(const CLI::App& app, const CLI::Error& error) : app_(&app), error_(error) {
    collect(app);
    while (!app_->get_subcommands().empty()) {
      app_ = app_->get_subcommands().front();
      collect(*app_);
    }
  }

  // One line, which says what to do.
  std::string sentence() const { return what() + " (try `" + path_of(*app_) + " --help`)"; }

 private:
  void collect(const CLI::App& app) {
    for (const std::string& word : app.remaining()) extra_.push_back(word);
  }

  static bool is_option(const std::string& word) {
    return word.size() > 1 && word[0] == '-' && word != "--";
  }

  // An option that is not known comes first: what stands behind it was read as something else.
  std::string what() const {
    if (!extra_.empty() && !commands().empty() && !is_option(extra_.front())) {
      return no_word(extra_.front());
    }
    const auto option = std::find_if(extra_.begin(), extra_.end(), is_option);
    if (option != extra_.end()) return no_option(option->substr(0, option->find('=')));
    const bool has_extra = error_.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError);
    if (has_extra && !extra_.empty()) return no_word(extra_.front());
    std::string said = error_.what();
    const std::string name = said.substr(0, said.find(':'));
    if (error_.get_name() == "ArgumentMismatch") {
      if (said.find("At Most") != said.npos) return name + ": is there more than once";
      if (said.find("override") != said.npos) {
        return "--" + said.substr(0, said.find(' ')) + ": takes no value";
      }
      if (said.find("missing") != said.npos) return name + ": a value must follow" + type(name);
    }
    std::replace(said.begin(), said.end(), '\n', ' ');
    return said;
  }

  std::string no_option(const std::string& name) const {
    std::string said = "there is no option " + name;
    const std::vector<std::string> words = commands();
    if (!words.empty()) return said + ": options stand behind " + any_of(words);
    for (const CLI::Option* known : app_->get_options()) {
      const std::string other = "--" + known->get_single_name();
      if (known->get_group().empty() || known->get_positional()) continue;
      if (name == other) return name + " must stand behind `" + path_of(*app_) + "`";
      const bool prefix = name.size() > 3 && other.starts_with(name);
      if (prefix || distance(name, other) <= 2) return said + ", is " + other + " meant?";
    }
    return said;
  }

  std::string no_word(const std::string& word) const {
    const std::vector<std::string> words = commands();
    if (words.empty()) return "\"" + word + "\" is too much";
    const std::string name = app_->get_name();
    const char* const kind = name == "serve" ? "service" : name == "bench" ? "scenario" : "command";
    return std::string("there is no ") + kind + " \"" + word + "\": expected " + any_of(words);
  }

  // What may follow, other than options.
  std::vector<std::string> commands() const {
    std::vector<std::string> names;
    for (const CLI::App* sub : app_->get_subcommands({})) names.push_back(sub->get_name());
    return names;
  }

  static std::string any_of(const std::vector<std::string>& words) {
    std::string text;
    for (size_t i = 0; i < words.size(); ++i) {
      if (i > 0) text += i + 1 == words.size() ? " or " : ", ";
      text += words[i];
    }
    return text;
  }

  // " : NAME TYPE"
  std::string type(const std::string& name) const {
    const CLI::Option* const option = app_->get_option_no_throw(name);
    return option == nullptr ? "" : ", " + name + " " + option->get_type_name();
  }

  const CLI::App* app_;  // the innermost that was reached
  const CLI::Error& error_;
  std::vector<std::string> extra_;  // what nobody has taken
};

}  // namespace tool
