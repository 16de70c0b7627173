#include "report.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>

namespace bench {
namespace {

double per_request(double amount, uint64_t requests) {
  return requests == 0 ? 0 : amount / static_cast<double>(requests);
}

double microseconds(double nanoseconds) { return nanoseconds / 1000; }

double percentile_us(const Histogram& latencies, double fraction) {
  return microseconds(static_cast<double>(latencies.percentile(fraction)));
}

struct ServerFigures {
  double cpu_us;  // per request
  double context_switches;
};

ServerFigures server_figures(const Measured& measured) {
  const ProcessUsage& before = measured.server_before;
  const ProcessUsage& after = measured.server_after;
  const auto cpu_ns = static_cast<double>(after.cpu_ns - before.cpu_ns);
  // Threads that ended take their switches with them: never report less than none.
  const uint64_t first = std::min(before.context_switches, after.context_switches);
  const auto switches = static_cast<double>(after.context_switches - first);
  return {.cpu_us = microseconds(per_request(cpu_ns, measured.requests)),
          .context_switches = per_request(switches, measured.requests)};
}

void print_latency_text(const char* name, const Histogram& latencies) {
  if (latencies.count() == 0) return;
  std::printf("%-22sp50 %.0f  p90 %.0f  p99 %.0f  p99.9 %.0f  max %.0f  (%" PRIu64 ")\n", name,
              percentile_us(latencies, 0.5), percentile_us(latencies, 0.9),
              percentile_us(latencies, 0.99), percentile_us(latencies, 0.999),
              microseconds(static_cast<double>(latencies.max())), latencies.count());
}

void print_latency_json(const char* name, const Histogram& latencies) {
  std::printf(",\n  \"%s\": {\"count\": %" PRIu64
              ", \"p50\": %.1f, \"p90\": %.1f, \"p99\": %.1f, \"p999\": %.1f, \"max\": %.1f}",
              name, latencies.count(), percentile_us(latencies, 0.5), percentile_us(latencies, 0.9),
              percentile_us(latencies, 0.99), percentile_us(latencies, 0.999),
              microseconds(static_cast<double>(latencies.max())));
}

}  // namespace

void print_text(const Measured& measured, const Tally& tally) {
  const LoadOptions& options = measured.options;
  std::printf("%s %s: %u connections, depth %u, ", measured.scenario.c_str(), measured.url.c_str(),
              options.connections, options.depth);
  if (options.rate > 0) std::printf("%.0f requests/s asked for, ", options.rate);
  std::printf("%.2f s\n", measured.seconds);
  std::printf("%-22s%.0f  (%" PRIu64 " requests)\n", "requests/s",
              static_cast<double>(measured.requests) / measured.seconds, measured.requests);
  print_latency_text("latency us", tally.fast);
  print_latency_text("latency us, blocking", tally.blocking);
  std::printf(
      "%-22s%.2f\n", "own CPU us/request",
      microseconds(per_request(static_cast<double>(measured.own_cpu_ns), measured.requests)));
  if (measured.has_server) {
    const ServerFigures server = server_figures(measured);
    std::printf("%-22s%.2f, %.3f context switches/request\n", "server CPU us/request",
                server.cpu_us, server.context_switches);
    std::printf("%-22s%u threads, %.1f MiB resident\n", "server", measured.server_after.threads,
                static_cast<double>(measured.server_after.resident_bytes) / (1 << 20));
  }
  std::printf("%-22s%" PRIu64 " wrong bytes, %" PRIu64 " broken connections, %" PRIu64
              " unanswered, %" PRIu64 " unsent, %" PRIu64 " refused\n",
              tally.failed() ? "FAILED" : "checked", tally.wrong_bytes, tally.broken,
              tally.unanswered, tally.unsent, tally.refused);
}

void print_json(const Measured& measured, const Tally& tally) {
  const LoadOptions& options = measured.options;
  std::printf("{\n  \"scenario\": %s, \"url\": %s,\n", json_string(measured.scenario).c_str(),
              json_string(measured.url).c_str());
  std::printf("  \"connections\": %u, \"depth\": %u, \"bytes\": %" PRIu64
              ", \"rate\": %g, \"block\": %g, \"block_us\": %u,\n",
              options.connections, options.depth, options.bytes, options.rate,
              options.block_fraction, options.block_microseconds);
  std::printf("  \"seconds\": %.6f, \"requests\": %" PRIu64 ", \"requests_per_second\": %.1f,\n",
              measured.seconds, measured.requests,
              static_cast<double>(measured.requests) / measured.seconds);
  std::printf(
      "  \"own_cpu_us_per_request\": %.4f",
      microseconds(per_request(static_cast<double>(measured.own_cpu_ns), measured.requests)));
  if (measured.has_server) {
    const ServerFigures server = server_figures(measured);
    std::printf(
        ",\n  \"server_cpu_us_per_request\": %.4f, "
        "\"server_context_switches_per_request\": %.4f, "
        "\"server_threads\": %u, \"server_resident_bytes\": %" PRIu64,
        server.cpu_us, server.context_switches, measured.server_after.threads,
        measured.server_after.resident_bytes);
  }
  print_latency_json("latency_us", tally.fast);
  print_latency_json("blocking_latency_us", tally.blocking);
  std::printf(",\n  \"wrong_bytes\": %" PRIu64 ", \"broken_connections\": %" PRIu64
              ", \"unanswered\": %" PRIu64 ", \"unsent\": %" PRIu64 ", \"refused\": %" PRIu64
              "\n}\n",
              tally.wrong_bytes, tally.broken, tally.unanswered, tally.unsent, tally.refused);
}

std::string json_string(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  }
  return quoted + '"';
}

}  // namespace bench
