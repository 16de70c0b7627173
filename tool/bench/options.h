// The command line of `trireme bench SCENARIO URL`, as a table: what each option is called, means
// and does. Knows nothing of the library that reads command lines.
//
// Part of the tool, before a run; main thread.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "load/runner.h"
#include "trireme/result.h"

namespace bench {

namespace tr = trireme;

struct BenchOptions {
  std::string scenario;
  std::string url;
  std::string endpoint;  // what is connected to: the URL, or of a web URL its host
  load::RunOptions run;
  bool json = false;
  std::string plot;        // a file; empty: none
  std::string script;      // a file
  bool needs_tls = false;  // the scenario does

  std::set<std::string> given;  // options that the command line has
};

struct ScenarioHelp {
  const char* name;
  const char* description;
};
// In the order in which they are shown.
const std::vector<ScenarioHelp>& scenarios();

// What stands above and below the list of options in the help of a scenario; "" is `bench` itself.
std::string help_above(const std::string& scenario);
std::string help_below(const std::string& scenario);
// The forms of a scenario's URL, in a line.
const char* url_forms(const std::string& scenario);

struct Option {
  const char* name;
  const char* type;      // empty: a flag
  std::string standard;  // as text; empty: there is none
  std::string description;
  const char* group;  // empty: not shown, because it always fails with a sentence
  // Takes the text behind the option. The error is a phrase that says what is expected.
  std::function<tr::Result<tr::Done>(const std::string&)> take;
  bool repeats = false;  // it may be there more than once
};

// For `options.scenario`; the table points into `options`. Options that the scenario has no use for
// are there too, and say why not.
std::vector<Option> option_table(BenchOptions& options);

// Once all options are taken: sets what depends on others and reads the script. The error is a
// sentence about options that contradict each other.
tr::Result<tr::Done> complete(BenchOptions& options);
// Once the URL is resolved: as complete().
tr::Result<tr::Done> check_endpoint(BenchOptions& options, const load::Endpoint& server);

}  // namespace bench
