#include "services/admin.h"

#include <arpa/inet.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "trireme/close_reason.h"

namespace services {
namespace {

namespace http = tr::http;

constexpr std::string_view kMetricsType = "text/plain; version=0.0.4; charset=utf-8";

struct Metric {
  const char* name;
  const char* type;  // "counter" or "gauge"
  const char* help;
  uint64_t tr::Stats::*value;
};

constexpr std::array kMetrics = {
    Metric{"connections_accepted_total", "counter", "Connections accepted.", &tr::Stats::accepted},
    Metric{"connections_refused_total", "counter", "Connections over the limit per address.",
           &tr::Stats::refused},
    Metric{"accept_failures_total", "counter", "Errors of accept(2) after which accepting paused.",
           &tr::Stats::accept_failures},
    Metric{"accept_pauses_total", "counter", "Times that accepting paused.",
           &tr::Stats::accept_pauses},
    Metric{"connections_live", "gauge", "Connections that are open.", &tr::Stats::live},
    Metric{"slots_made_total", "counter", "Places of connections taken.", &tr::Stats::slots_made},
    Metric{"slots_gone_total", "counter", "Places of connections given back.",
           &tr::Stats::slots_gone},
    Metric{"requests_total", "counter", "Requests decoded.", &tr::Stats::requests},
    Metric{"replies_total", "counter", "Replies handed to the write queue.", &tr::Stats::replies},
    Metric{"replies_dropped_total", "counter", "Replies whose connection ended before.",
           &tr::Stats::replies_dropped},
    Metric{"requests_unanswered_total", "counter", "Requests that need no reply.",
           &tr::Stats::unanswered},
    Metric{"frames_refused_total", "counter", "Frames that the codec refused.",
           &tr::Stats::refused_frames},
    Metric{"partial_requests_dropped_total", "counter", "Requests that never became whole.",
           &tr::Stats::partial_requests_dropped},
    Metric{"handler_exceptions_total", "counter", "Exceptions that handlers have thrown.",
           &tr::Stats::handler_exceptions},
    Metric{"handler_deadlines_total", "counter", "Requests whose deadline passed.",
           &tr::Stats::handler_deadlines},
    Metric{"stale_ids_total", "counter", "Calls for connections that were gone.",
           &tr::Stats::stale_ids},
    Metric{"received_bytes_total", "counter", "Bytes read from clients.", &tr::Stats::bytes_in},
    Metric{"sent_bytes_total", "counter", "Bytes sent to clients.", &tr::Stats::bytes_out},
    Metric{"loop_turns_total", "counter", "Waits of event loops that have returned.",
           &tr::Stats::loop_turns},
    Metric{"loop_wakeups_total", "counter", "Wake-ups of sleeping event loops.",
           &tr::Stats::wakeups},
    Metric{"loop_late_turns_total", "counter", "Turns that left ready connections behind.",
           &tr::Stats::late_turns},
    Metric{"reads_paused_total", "counter", "Times that a connection was held back.",
           &tr::Stats::reads_paused},
    Metric{"jobs_inline_total", "counter", "Handlers started on a loop's thread.",
           &tr::Stats::jobs_inline},
    Metric{"jobs_on_data_workers_total", "counter", "Handlers started on data workers.",
           &tr::Stats::jobs_on_data_workers},
    Metric{"direct_writes_total", "counter", "Replies that data workers sent themselves.",
           &tr::Stats::direct_writes},
    Metric{"hand_overs_total", "counter", "Loops that changed hands.", &tr::Stats::hand_overs},
    Metric{"hand_overs_asked_total", "counter", "Of these, asked for by the handler.",
           &tr::Stats::hand_overs_asked},
    Metric{"hand_overs_told_total", "counter", "Of these, at once, by the lookout.",
           &tr::Stats::hand_overs_told},
    Metric{"stalls_total", "counter", "Late jobs that kept their loop.", &tr::Stats::stalls},
    Metric{"stall_reports_total", "counter", "Lines in the log about them.",
           &tr::Stats::stall_reports},
    Metric{"data_workers", "gauge", "Threads of data workers.", &tr::Stats::data_workers},
    Metric{"descriptors_opened_total", "counter", "Descriptors opened.",
           &tr::Stats::descriptors_opened},
    Metric{"descriptors_closed_total", "counter", "Descriptors closed.",
           &tr::Stats::descriptors_closed},
    Metric{"buffer_bytes", "gauge", "Bytes of buffers now.", &tr::Stats::buffer_bytes_now},
    Metric{"buffer_bytes_peak", "gauge", "The most bytes of buffers so far.",
           &tr::Stats::buffer_bytes_peak},
    Metric{"buffers_made_total", "counter", "Buffers made.", &tr::Stats::buffers_made},
    Metric{"buffers_gone_total", "counter", "Buffers given back.", &tr::Stats::buffers_gone},
    Metric{"timers_made_total", "counter", "Timers made.", &tr::Stats::timers_made},
    Metric{"timers_gone_total", "counter", "Timers gone.", &tr::Stats::timers_gone},
};

void put_head(std::string& text, std::string_view name, std::string_view type,
              std::string_view help) {
  text.append("# HELP trireme_").append(name).append(" ").append(help).append("\n");
  text.append("# TYPE trireme_").append(name).append(" ").append(type).append("\n");
}

// A label's value, escaped as the format wants it.
std::string label(std::string_view value) {
  std::string made = "\"";
  for (const char byte : value) {
    if (byte == '"' || byte == '\\') made += '\\';
    made += byte == '\n' ? ' ' : byte;
  }
  return made + "\"";
}

std::string kind_labels(const tr::KindStats& kind) {
  const std::string number = kind.callbacks ? "callbacks" : std::to_string(kind.kind);
  return "{service=" + label(kind.service) + ",kind=" + label(number) + "}";
}

struct KindMetric {
  const char* name;
  const char* help;
  uint64_t tr::KindStats::*value;
};
constexpr std::array kKindMetrics = {
    KindMetric{"kind_requests_inline_total", "Requests of a kind started on a loop's thread.",
               &tr::KindStats::requests_inline},
    KindMetric{"kind_requests_on_data_workers_total", "Requests of a kind started on data workers.",
               &tr::KindStats::requests_on_data_workers},
    KindMetric{"kind_late_total", "Requests of a kind that took so long that loops change hands.",
               &tr::KindStats::late},
};

std::string connections_json(const tr::Stats& stats) {
  std::string text = "{\"live\":" + std::to_string(stats.live) +
                     ",\"accepted\":" + std::to_string(stats.accepted) +
                     ",\"refused\":" + std::to_string(stats.refused) +
                     ",\"closed\":" + std::to_string(stats.closed) + ",\"closed_by_reason\":{";
  for (size_t i = 0; i < stats.closed_by_reason.size(); ++i) {
    text.append(i == 0 ? "\"" : ",\"").append(to_string(static_cast<tr::CloseReason>(i)));
    text.append("\":").append(std::to_string(stats.closed_by_reason[i]));
  }
  return text + "}}\n";
}

std::string stalls_json(const tr::Stats& stats) {
  std::string text = "{\"stalls\":" + std::to_string(stats.stalls) +
                     ",\"hand_overs\":" + std::to_string(stats.hand_overs) + ",\"kinds\":[";
  bool first = true;
  for (const tr::KindStats& kind : stats.kinds) {
    text.append(std::exchange(first, false) ? "{" : ",{");
    text.append("\"service\":\"" + http::json_escaped(kind.service) + "\",\"kind\":");
    text.append(kind.callbacks ? "\"callbacks\"" : std::to_string(kind.kind));
    text.append(",\"late\":" + std::to_string(kind.late));
    text.append(",\"loops_inline\":" + std::to_string(kind.loops_inline));
    text.append(",\"loops_on_data_workers\":" + std::to_string(kind.loops_on_data_workers));
    text.append(",\"cost_ns\":" + std::to_string(kind.cost.count()) + "}");
  }
  return text + "]}\n";
}

// An address, not a name that somebody else may have given to it.
bool is_own_host(std::string_view host) {
  if (host.starts_with('[')) return host.substr(0, host.find(']') + 1) == "[::1]";
  const std::string name(host.substr(0, host.find(':')));
  in_addr address{};
  if (name == "localhost") return true;
  return ::inet_pton(AF_INET, name.c_str(), &address) == 1 && ntohl(address.s_addr) >> 24 == 127;
}

}  // namespace

bool is_loopback(const std::string& url) {
  if (url.starts_with("unix:")) return true;
  const size_t at = url.find("://");
  if (at == std::string::npos) return false;
  return is_own_host(std::string_view(url).substr(at + 3));
}

std::string metrics_text(const tr::Stats& stats) {
  std::string text;
  for (const Metric& metric : kMetrics) {
    put_head(text, metric.name, metric.type, metric.help);
    text.append("trireme_").append(metric.name).append(" ");
    text.append(std::to_string(stats.*metric.value)).append("\n");
  }
  put_head(text, "connections_closed_total", "counter", "Connections closed, by reason.");
  for (size_t i = 0; i < stats.closed_by_reason.size(); ++i) {
    text += "trireme_connections_closed_total{reason=" +
            label(to_string(static_cast<tr::CloseReason>(i))) + "} " +
            std::to_string(stats.closed_by_reason[i]) + "\n";
  }
  for (const KindMetric& metric : kKindMetrics) {
    put_head(text, metric.name, "counter", metric.help);
    for (const tr::KindStats& kind : stats.kinds) {
      text.append("trireme_").append(metric.name).append(kind_labels(kind)).append(" ");
      text.append(std::to_string(kind.*metric.value)).append("\n");
    }
  }
  return text;
}

Admin::Admin(const tr::Server& watched, AdminOptions options)
    : watched_(watched), options_(std::move(options)) {}

Admin::~Admin() = default;

http::Routes Admin::make_routes() const {
  const tr::Server& watched = watched_;
  http::Routes routes;
  const auto get = [&routes](const char* path, auto handler) {
    routes.get(path, std::move(handler), {.body_bytes_max = 0});
  };
  get("/metrics", [&watched](const http::Request&) {
    return http::Response()
        .header("Content-Type", kMetricsType)
        .body(metrics_text(watched.stats()));
  });
  get("/healthz", [](const http::Request&) { return http::text("ok\n"); });
  get("/readyz", [&watched, &ready = ready_](const http::Request&) {
    if (!ready.load()) return http::text("starting\n").status(503);
    if (watched.is_draining()) return http::text("draining\n").status(503);
    return http::text("ready\n");
  });
  get("/connections",
      [&watched](const http::Request&) { return http::json(connections_json(watched.stats())); });
  get("/stalls",
      [&watched](const http::Request&) { return http::json(stalls_json(watched.stats())); });
  if (!options_.is_public) {
    routes.before([](const http::Request& request) -> std::optional<http::Response> {
      // Clients of HTTP/1.0 may say none.
      const bool says_none = request.is_old() && request.host().empty();
      if (says_none || is_own_host(request.host())) return std::nullopt;
      return http::text("ask by the address\n").status(421);
    });
  }
  routes.after([](const http::Request&, http::Response& response) {
    response.header("Cache-Control", "no-store").header("X-Content-Type-Options", "nosniff");
  });
  return routes;
}

tr::Result<tr::Done> Admin::start() {
  if (!options_.is_public && !is_loopback(options_.url)) {
    return tr::Error{tr::Error::Code::kUsage,
                     "the admin endpoint '" + options_.url +
                         "' is not of this machine alone: take 127.0.0.1, or say --admin-public"};
  }
  tr::ServerOptions options;
  options.io_workers = 1;
  options.data_workers = 1;
  options.dispatch = tr::Dispatch::kInline;
  options.connections_max = 32;
  options.buffer_bytes_max = 8 << 20;
  options.drain_time_max = std::chrono::seconds(2);
  options.log_level = tr::LogLevel::kError;
  tr::ListenOptions listen;
  listen.name = "admin";
  listen.limits.frame_bytes_max = 64 << 10;
  listen.limits.request_time_max = std::chrono::seconds(5);
  listen.limits.first_byte_time_max = std::chrono::seconds(5);
  listen.limits.idle_time_max = std::chrono::seconds(60);
  server_ = std::make_unique<tr::Server>(options);
  server_->listen(options_.url, http::serve(make_routes()), listen);
  return server_->start();
}

std::string Admin::url() const { return server_->urls()[0]; }

}  // namespace services
