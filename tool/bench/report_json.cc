#include <algorithm>

#include "load/json.h"
#include "tool/bench/report.h"

namespace bench {
namespace {

double us(uint64_t nanoseconds) { return static_cast<double>(nanoseconds) / 1000; }

double seconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

void add_latencies(load::JsonWriter& json, const char* name, const load::Histogram& latencies) {
  json.begin_object(name);
  json.field("count", latencies.count());
  json.field("p50", us(latencies.percentile(0.5)));
  json.field("p90", us(latencies.percentile(0.9)));
  json.field("p99", us(latencies.percentile(0.99)));
  json.field("p99_9", us(latencies.percentile(0.999)));
  json.field("p99_99", us(latencies.percentile(0.9999)));
  json.field("max", us(latencies.max()));
  json.end_object();
}

// Null, where the scenario has no such thing.
void add_web(load::JsonWriter& json, const load::LoadOptions& load) {
  const bool is_http = load.scenario == load::Scenario::kHttp;
  const auto text = [&json](const char* name, bool is_there, const std::string& value) {
    if (is_there) return json.field(name, value);
    json.null(name);
  };
  text("target", is_http || load.scenario == load::Scenario::kWebSocket, load.web.target);
  text("method", is_http, load.web.method);
  text("block_target", !load.web.block_target.empty(), load.web.block_target);
  json.field("status", load.web.status);
  json.field("echo", load.web.echoes);
  json.field("close", load.web.closes);
}

void add_load(load::JsonWriter& json, const Subject& subject) {
  const load::LoadOptions& load = subject.options.load;
  json.field("scenario", subject.scenario);
  json.field("url", subject.url);
  json.begin_object("options");
  json.field("connections", load.connections);
  json.field("active", load.active == 0 ? load.connections : load.active);
  json.field("threads", subject.options.threads);
  json.field("depth", load.depth);
  json.field("rate", load.rate);
  json.field("bytes", load.bytes);
  json.field("codec", load::name_of(load.framing));
  json.field("one_way", load.one_way);
  add_web(json, load);
  json.field("block", load.block_fraction);
  json.field("block_us", load.block_microseconds);
  json.field("sources", load.sources);
  json.field("congestion", load.congestion);
  json.field("ramp_seconds", seconds(load.ramp));
  json.field("warm_up_seconds", seconds(subject.options.warm_up));
  json.field("duration_seconds", seconds(subject.options.duration));
  json.end_object();
}

void add_server(load::JsonWriter& json, const Subject& subject, const load::Measured& measured) {
  if (!measured.server) return json.null("server");
  const load::ServerFigures& server = *measured.server;
  const auto requests = static_cast<double>(measured.requests);
  const auto cpu = static_cast<double>(server.cpu_ns);
  json.begin_object("server");
  json.field("pid", subject.options.pid);
  json.field("cpu_us_per_request", per(cpu / 1000, requests));
  json.field("cpu_over_load_cpu", per(cpu, static_cast<double>(measured.load_cpu_ns)));
  json.field("voluntary_switches_per_request",
             per(static_cast<double>(server.context_switches.voluntary), requests));
  json.field("involuntary_switches_per_request",
             per(static_cast<double>(server.context_switches.involuntary), requests));
  json.field("threads", server.threads);
  json.field("resident_bytes_before", server.resident_bytes_before);
  json.field("resident_bytes_connected", server.resident_bytes_connected);
  json.field("resident_bytes_after", server.resident_bytes_after);
  const auto grown = static_cast<double>(server.resident_bytes_connected) -
                     static_cast<double>(server.resident_bytes_before);
  if (subject.options.load.scenario == load::Scenario::kChurn) {
    json.null("bytes_per_connection");
  } else {
    json.field("bytes_per_connection", std::max(0.0, grown) / subject.options.load.connections);
  }
  json.end_object();
}

}  // namespace

std::string json_of(const Subject& subject, const load::Measured& measured) {
  const auto requests = static_cast<double>(measured.requests);
  const load::Tally& tally = measured.tally;
  load::JsonWriter json;
  json.begin_object();
  add_load(json, subject);
  json.field("passed", exit_status(measured) == 0);
  json.field("connected", measured.connected);
  json.field("interrupted", measured.interrupted);
  json.field("seconds", measured.seconds);
  json.field("requests", measured.requests);
  json.field("requests_per_second", per(requests, measured.seconds));
  json.field("sent_bytes", measured.sent_bytes);
  json.field("received_bytes", measured.received_bytes);
  add_latencies(json, "latency_us", tally.fast);
  add_latencies(json, "blocking_latency_us", tally.blocking);
  json.field("load_cpu_us_per_request",
             per(static_cast<double>(measured.load_cpu_ns) / 1000, requests));
  add_server(json, subject, measured);
  json.begin_array("per_second");
  for (const load::Second& second : measured.per_second) {
    json.begin_object();
    json.field("seconds", second.seconds);
    json.field("requests", second.requests);
    json.field("bytes", second.bytes);
    json.end_object();
  }
  json.end_array();
  json.field("connections_opened", tally.opened);
  json.field("handshakes", tally.handshakes);
  json.field("handshakes_resumed", tally.resumed);
  json.field("wrong_bytes", tally.wrong_bytes);
  json.field("broken_connections", tally.broken);
  json.field("unanswered", tally.unanswered);
  json.field("failed", tally.lost);
  json.field("unsent", tally.unsent);
  json.field("refused", tally.refused);
  if (!tally.problem.empty()) {
    json.field("problem", tally.problem);
  } else if (measured.requests == 0) {
    json.field("problem", "nothing was answered");
  } else {
    json.null("problem");
  }
  json.end_object();
  return json.text() + '\n';
}

}  // namespace bench
