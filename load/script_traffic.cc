// How one connection goes through its script. A request is an exchange: the sends since the last
// one, and the expects up to the next send, pause or close, the end of the round or of a turn of
// `repeat forever`. Sends that nothing answers are no request.
#include <regex.h>

#include <memory>
#include <string>

#include "load/clocks.h"
#include "load/traffic.h"

namespace load {
namespace {

using Kind = ScriptStep::Kind;

constexpr size_t kBufferedMax = 1 << 20;  // received and not yet expected

struct FreeRegex {
  void operator()(regex_t* regex) const {
    ::regfree(regex);
    delete regex;
  }
};
using Regex = std::unique_ptr<regex_t, FreeRegex>;

class ScriptTraffic final : public Traffic {
 public:
  explicit ScriptTraffic(const Script& script) : script_(script) {
    for (const ScriptStep& step : script.steps) {
      Regex& regex = regexes_.emplace_back();
      if (step.kind != Kind::kExpectRegex) continue;
      regex.reset(new regex_t);
      ::regcomp(regex.get(), step.regex.c_str(), REG_EXTENDED | REG_NOSUB);  // parsing has tried it
    }
  }

  void add_request(Connection& connection, const Pending& request, Tally& tally) override {
    for (;;) {
      settle(connection);
      const ScriptStep& step = script_.steps[connection.script.step];
      if (step.expects()) {
        connection.push(request);
        return read(connection, now_ns(), tally);
      }
      next(connection);
      if (step.kind == Kind::kSend) {
        step.text.append_to(connection.out, connection.index, connection.script.round);
      } else if (step.kind == Kind::kPause) {
        connection.ready_ns = now_ns() + step.pause_ns;
        return;
      } else {
        connection.close_wanted = true;
        if (!connection.partial.empty()) {
          reject(connection, step, connection.partial, {}, tally);
        }
        return;
      }
    }
  }

  void receive(Connection& connection, std::string_view bytes, int64_t now_ns,
               Tally& tally) override {
    connection.partial.append(bytes);
    read(connection, now_ns, tally);
    if (connection.partial.size() > kBufferedMax) {
      give_up(connection, connection.partial, {}, now_ns, tally);
    }
  }

  bool ended(Connection& connection, int64_t now_ns, Tally& tally) override {
    if (connection.pending.empty() || !connection.partial.empty()) return false;
    if (script_.steps[connection.script.step].kind != Kind::kExpectClose) return false;
    next(connection);
    connection.complete(now_ns, tally);
    return true;
  }

 private:
  enum class Match { kMore, kYes, kNo };
  struct Look {
    Match match;
    size_t size = 0;            // kYes: to take; kNo: wrong
    std::string_view wanted{};  // kNo: in `wanted_`
  };

  // Steps over repeats and their ends, and from the last step to the first. True if a round or a
  // turn of `repeat forever` has ended by that.
  bool settle(Connection& connection) const {
    ScriptPosition& at = connection.script;
    bool ended = false;
    for (;;) {
      if (at.step == script_.steps.size()) {
        at.step = 0;
        ++at.round;
        ended = true;
      }
      const ScriptStep& step = script_.steps[at.step];
      if (step.kind == Kind::kRepeat) {
        at.repeats.push_back(step.turns);
        ++at.step;
      } else if (step.kind == Kind::kEnd) {
        ended = ended || step.forever;
        if (step.forever || --at.repeats.back() > 0) {
          at.step = step.first_inner;
        } else {
          at.repeats.pop_back();
          ++at.step;
        }
      } else {
        return ended;
      }
    }
  }

  static void next(Connection& connection) { ++connection.script.step; }

  // Takes from what was received as long as the pending request expects something.
  void read(Connection& connection, int64_t now_ns, Tally& tally) {
    std::string_view rest = connection.partial;
    while (!connection.pending.empty()) {
      const Look look = look_at(connection, rest);
      if (look.match == Match::kMore) break;
      if (look.match == Match::kNo) {
        return give_up(connection, rest.substr(0, look.size), look.wanted, now_ns, tally);
      }
      rest.remove_prefix(look.size);
      connection.received += look.size;
      next(connection);
      const bool ended = settle(connection);
      if (ended || !script_.steps[connection.script.step].expects()) {
        connection.complete(now_ns, tally);
      }
    }
    connection.partial.erase(0, connection.partial.size() - rest.size());
  }

  // `got` is what was received and not yet expected.
  Look look_at(const Connection& connection, std::string_view got) {
    const ScriptStep& step = script_.steps[connection.script.step];
    if (step.kind == Kind::kExpectClose) {
      return got.empty() ? Look{Match::kMore} : Look{Match::kNo, got.size()};
    }
    wanted_.clear();
    step.text.append_to(wanted_, connection.index, connection.script.round);
    const std::string_view wanted = wanted_;
    if (step.kind == Kind::kExpect) {
      const size_t size = std::min(got.size(), wanted.size());
      if (got.substr(0, size) != wanted.substr(0, size)) return {Match::kNo, size, wanted};
      return size < wanted.size() ? Look{Match::kMore} : Look{Match::kYes, size};
    }
    const size_t newline = got.find('\n');
    if (newline == got.npos) return {Match::kMore};
    std::string_view line = got.substr(0, newline);
    if (line.ends_with('\r')) line.remove_suffix(1);
    const bool fits = step.kind == Kind::kExpectRegex ? matches(connection.script.step, line)
                                                      : step.any_line || line == wanted;
    return fits ? Look{Match::kYes, newline + 1} : Look{Match::kNo, line.size(), wanted};
  }

  bool matches(size_t step, std::string_view line) const {
    regmatch_t whole{.rm_so = 0, .rm_eo = static_cast<regoff_t>(line.size())};
    return ::regexec(regexes_[step].get(), line.data(), 0, &whole, REG_STARTEND) == 0;
  }

  // At least one byte is wrong, even where a line is wrong because it is too short.
  static void reject(const Connection& connection, const ScriptStep& step, std::string_view got,
                     std::string_view wanted, Tally& tally) {
    const uint64_t before = tally.wrong_bytes;
    tally.note("connection " + std::to_string(connection.index) + ", line " +
               std::to_string(step.line) + " of the script: got \"" + printable(got) + "\"" +
               (wanted.empty() ? "" : ", expected \"" + printable(wanted) + "\""));
    count_differences(connection, connection.received, got, wanted, tally);
    if (tally.wrong_bytes == before) ++tally.wrong_bytes;
  }

  // Nobody knows where server and script stand now: a new connection begins a new round.
  void give_up(Connection& connection, std::string_view got, std::string_view wanted,
               int64_t now_ns, Tally& tally) const {
    const size_t step = connection.script.step % script_.steps.size();
    reject(connection, script_.steps[step], got, wanted, tally);
    if (!connection.pending.empty()) connection.complete(now_ns, tally);
    connection.partial.clear();
    connection.out.clear();
    connection.out_written = 0;
    connection.close_wanted = true;
    connection.ready_ns = 0;
    connection.script = {.step = 0, .repeats = {}, .round = connection.script.round + 1};
  }

  static std::string printable(std::string_view text) {
    std::string shown;
    for (const char byte : text.substr(0, 60)) shown += byte < ' ' || byte > '~' ? '.' : byte;
    return text.size() > 60 ? shown + "..." : shown;
  }

  const Script& script_;
  std::vector<Regex> regexes_;  // one a step
  std::string wanted_;          // of the last look: its memory is used again
};

}  // namespace

std::unique_ptr<Traffic> make_script_traffic(const Script& script) {
  return std::make_unique<ScriptTraffic>(script);
}

}  // namespace load
