#include "tool/bench/report.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdarg>
#include <cstdio>

#include "tool/terminal.h"

namespace bench {
namespace {

struct Percentile {
  const char* name;
  double fraction;
};
constexpr std::array<Percentile, 5> kPercentiles = {
    {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}, {"p99.99", 0.9999}}};

[[gnu::format(printf, 2, 3)]] void add(std::string& text, const char* format, ...) {
  char line[512];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  text += line;
}

// Three digits and a unit, the first in which `value` is below 1000 (or below `step`).
template <size_t kCount>
std::string scaled(double value, double step, const std::array<const char*, kCount>& units) {
  size_t unit = 0;
  for (; unit + 1 < kCount && value >= step * 0.9995; ++unit) value /= step;
  char text[48];
  const int digits = unit == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  std::snprintf(text, sizeof text, "%.*f %s", digits, value, units[unit]);
  return text;
}

constexpr size_t kTableColumns = 95;

// The same for a terminal that is too narrow for the table.
void add_latency_list(std::string& text, const char* name, const load::Histogram& latencies) {
  if (latencies.count() == 0) return;
  add(text, "  latency, %s\n", name);
  for (const Percentile& each : kPercentiles) {
    const auto value = static_cast<double>(latencies.percentile(each.fraction));
    add(text, "    %-7s%10s\n", each.name, show_time(value).c_str());
  }
  add(text, "    %-7s%10s\n", "max", show_time(static_cast<double>(latencies.max())).c_str());
  add(text, "    %-7s%10s\n", "count", show_count(latencies.count()).c_str());
}

void add_latencies(std::string& text, const char* name, const load::Histogram& latencies) {
  if (latencies.count() == 0) return;
  add(text, "    %-16s", name);
  for (const Percentile& each : kPercentiles) {
    const auto value = static_cast<double>(latencies.percentile(each.fraction));
    add(text, "%10s", show_time(value).c_str());
  }
  add(text, "%10s%15s\n", show_time(static_cast<double>(latencies.max())).c_str(),
      show_count(latencies.count()).c_str());
}

void add_latency(std::string& text, const load::Tally& tally, size_t columns) {
  const char* const fast = tally.blocking.count() > 0 ? "not blocking" : "all";
  if (columns < kTableColumns) {
    add_latency_list(text, fast, tally.fast);
    return add_latency_list(text, "blocking", tally.blocking);
  }
  add(text, "  %-18s", "latency");
  for (const Percentile& each : kPercentiles) add(text, "%10s", each.name);
  add(text, "%10s%15s\n", "max", "count");
  add_latencies(text, fast, tally.fast);
  add_latencies(text, "blocking", tally.blocking);
}

void add_request(std::string& text, const load::LoadOptions& load) {
  text += ", " + load.web.method + " " + load.web.target;
  if (load.bytes > 0) {
    add(text, " with %llu bytes", static_cast<unsigned long long>(load.bytes));
  }
  if (load.web.closes) text += ", a connection a request";
}

void add_load(std::string& text, const Subject& subject) {
  const load::LoadOptions& load = subject.options.load;
  add(text, "%s %s\n", subject.scenario.c_str(), subject.url.c_str());
  add(text, "  %u connection%s", load.connections, load.connections == 1 ? "" : "s");
  if (load.active > 0) add(text, ", %u of them active", load.active);
  if (load.depth > 1) {
    add(text, ", %s%u requests in flight on each", load.rate > 0 ? "up to " : "", load.depth);
  }
  if (load.scenario == load::Scenario::kHttp) {
    add_request(text, load);
  } else if (load.scenario == load::Scenario::kWebSocket) {
    add(text, ", %s messages of %llu bytes", load.web.is_binary ? "binary" : "text",
        static_cast<unsigned long long>(load.bytes));
  } else if (load.scenario != load::Scenario::kLines && load.scenario != load::Scenario::kScript) {
    add(text, ", messages of %llu bytes, codec %s", static_cast<unsigned long long>(load.bytes),
        load::name_of(load.framing).c_str());
  }
  if (load.one_way) text += ", one way";
  text += load.rate > 0 ? ", fixed rate" : ", closed loop";
  add(text, ", %u thread%s\n", subject.options.threads, subject.options.threads == 1 ? "" : "s");
  if (load.block_fraction > 0) {
    const std::string how =
        load.scenario == load::Scenario::kHttp
            ? "go to " + load.web.block_target
            : "ask the server to block for " + show_time(load.block_microseconds * 1000.0);
    add(text, "  %g %% of the requests ", load.block_fraction * 100);
    text += how + "\n";
  }
}

void add_rates(std::string& text, const Subject& subject, const load::Measured& measured) {
  const auto requests = static_cast<double>(measured.requests);
  add(text, "  %-18s%s", "requests/s",
      show_count(static_cast<uint64_t>(per(requests, measured.seconds))).c_str());
  const double rate = subject.options.load.rate;
  if (rate >= 1000) {
    add(text, " of %s asked for", show_count(static_cast<uint64_t>(rate)).c_str());
  } else if (rate > 0) {
    add(text, " of %g asked for", rate);
  }
  add(text, "  (%s in %.2f s", show_count(measured.requests).c_str(), measured.seconds);
  uint64_t slowest = UINT64_MAX;
  uint64_t fastest = 0;
  for (const load::Second& second : measured.per_second) {
    if (second.seconds < 1) continue;
    slowest = std::min(slowest, second.requests);
    fastest = std::max(fastest, second.requests);
  }
  if (measured.per_second.size() > 1 && slowest <= fastest) {
    add(text, "; seconds from %s to %s", show_count(slowest).c_str(), show_count(fastest).c_str());
  }
  text += ")\n";
  add(text, "  %-18ssent %.3f, received %.3f\n", "MB/s",
      per(static_cast<double>(measured.sent_bytes) / 1e6, measured.seconds),
      per(static_cast<double>(measured.received_bytes) / 1e6, measured.seconds));
}

void add_server(std::string& text, const Subject& subject, const load::Measured& measured,
                const load::ServerFigures& server) {
  const auto requests = static_cast<double>(measured.requests);
  const auto cpu = static_cast<double>(server.cpu_ns);
  add(text, "  %-18s%.2f us/request, %.2f times the load's\n", "server CPU",
      per(cpu / 1000, requests), per(cpu, static_cast<double>(measured.load_cpu_ns)));
  add(text, "  %-18s%.4f voluntary, %.4f involuntary a request\n", "context switches",
      per(static_cast<double>(server.context_switches.voluntary), requests),
      per(static_cast<double>(server.context_switches.involuntary), requests));
  const auto before = static_cast<double>(server.resident_bytes_before);
  const auto connected = static_cast<double>(server.resident_bytes_connected);
  add(text, "  %-18s%s before, %s connected, %s at the end; %u threads\n", "server memory",
      show_bytes(before).c_str(), show_bytes(connected).c_str(),
      show_bytes(static_cast<double>(server.resident_bytes_after)).c_str(), server.threads);
  if (subject.options.load.scenario == load::Scenario::kChurn) return;
  add(text, "  %-18s%s\n", "a connection",
      show_bytes(std::max(0.0, connected - before) / subject.options.load.connections).c_str());
}

void add_tls(std::string& text, const load::Tally& tally) {
  if (tally.handshakes == 0) return;
  add(text, "  %-18s%s handshakes, %s of them resumed\n", "TLS",
      show_count(tally.handshakes).c_str(), show_count(tally.resumed).c_str());
}

void add_checks(std::string& text, const Subject& subject, const load::Measured& measured) {
  const load::Tally& tally = measured.tally;
  add(text, "  %-18s%s wrong bytes, %s broken connections, %s unanswered",
      exit_status(measured) == 0 ? "checked" : "FAILED", show_count(tally.wrong_bytes).c_str(),
      show_count(tally.broken).c_str(), show_count(tally.unanswered).c_str());
  if (tally.lost > 0) add(text, ", %s failed", show_count(tally.lost).c_str());
  if (tally.unsent > 0) add(text, ", %s due and not sent", show_count(tally.unsent).c_str());
  if (tally.refused > 0) add(text, ", %s refused (BUSY, 503)", show_count(tally.refused).c_str());
  text += '\n';
  if (!tally.problem.empty()) text += "  first problem     " + tally.problem + '\n';
  if (tally.problem.empty() && measured.requests == 0) text += "  nothing was answered\n";
  const double asked = std::chrono::duration<double>(subject.options.duration).count();
  if (!measured.interrupted && measured.seconds < asked) {
    text += "  ended early: no connection was left\n";
  }
  if (measured.interrupted) text += "  interrupted: the figures are of the time until then\n";
}

}  // namespace

int exit_status(const load::Measured& measured) {
  return measured.connected && !measured.tally.failed() && measured.requests > 0 ? 0 : 1;
}

std::string text_of(const Subject& subject, const load::Measured& measured, size_t columns) {
  std::string text;
  add_load(text, subject);
  if (!measured.connected) {
    text += "  FAILED            " + measured.tally.problem + '\n';
    return tool::fit(text, columns);
  }
  add_rates(text, subject, measured);
  add_latency(text, measured.tally, columns);
  add(text, "  %-18s%.2f us/request\n", "load CPU",
      per(static_cast<double>(measured.load_cpu_ns) / 1000,
          static_cast<double>(measured.requests)));
  if (measured.server) add_server(text, subject, measured, *measured.server);
  if (subject.options.pid > 0 && !measured.server) text += "  the server's process has ended\n";
  add_tls(text, measured.tally);
  add_checks(text, subject, measured);
  return tool::fit(text, columns);
}

std::string progress_of(const load::RunOptions& options, const load::Progress& progress,
                        size_t columns) {
  const std::string rate = show_count(
      static_cast<uint64_t>(per(static_cast<double>(progress.requests), progress.report_seconds)));
  const std::string wanted = show_count(options.load.connections);
  const std::string connected = show_count(progress.connected);
  const double duration = std::chrono::duration<double>(options.duration).count();
  std::string line;
  std::string brief;
  switch (progress.phase) {
    case load::Progress::Phase::kConnecting:
      add(line, "connecting: %s of %s", connected.c_str(), wanted.c_str());
      add(brief, "%s of %s", connected.c_str(), wanted.c_str());
      break;
    case load::Progress::Phase::kWarmingUp:
      add(line, "warming up: %s requests/s", rate.c_str());
      add(brief, "%s/s", rate.c_str());
      break;
    case load::Progress::Phase::kMeasuring:
      add(line, "measuring, %.0f of %.0f s: %s requests/s", progress.seconds, duration,
          rate.c_str());
      add(brief, "%.0f/%.0f s, %s/s", progress.seconds, duration, rate.c_str());
      break;
    case load::Progress::Phase::kDraining:
      add(line, "waiting for the last replies, %.0f s", progress.seconds);
      add(brief, "waiting, %.0f s", progress.seconds);
      break;
  }
  return (line.size() <= columns ? line : brief).substr(0, columns);
}

std::string show_time(double nanoseconds) {
  return scaled(nanoseconds, 1000, std::array{"ns", "us", "ms", "s"});
}

std::string show_bytes(double bytes) {
  return scaled(bytes, 1024, std::array{"B", "KiB", "MiB", "GiB"});
}

std::string show_count(uint64_t count) {
  std::string text = std::to_string(count);
  for (size_t end = text.size(); end > 3;) text.insert(end -= 3, 1, ',');
  return text;
}

}  // namespace bench
