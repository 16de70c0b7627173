#include "http/serving/core.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "http/content/negotiation.h"

namespace trireme { inline namespace v0 { namespace http {

ServingCore::ServingCore(Routes routes, const ServeOptions& options)
    : table_(std::move(routes.table_)),
      limits_{options.line_bytes_max, options.head_bytes_max, options.fields_max} {}

uint32_t ServingCore::kind_of(std::string_view path, Method method,
                              std::string_view method_name) const {
  if (is_devious(path) || path == "*") return kNoRoute;
  const uint32_t route = table_->tree.match(path, method, method_name);
  return route == RouteTree::kNone ? kNoRoute : route + 1;
}

bool ServingCore::has_path(std::string_view path) const {
  return !is_devious(path) && path != "*" && !table_->tree.allowed(path).empty();
}

const Route* ServingCore::route_of(uint32_t kind) const {
  return kind == kNoRoute || kind > table_->routes.size() ? nullptr : &table_->routes[kind - 1];
}

bool ServingCore::upgrades() const {
  return std::any_of(table_->routes.begin(), table_->routes.end(),
                     [](const Route& route) { return route.handler->upgrades(); });
}

std::string ServingCore::date_field() const {
  std::string field = "Date: " + std::string(kDateBytes, ' ') + "\r\n";
  dates_.put(now(), field.data() + 6);
  return field;
}

Response error_response(int status, std::string_view detail, std::string_view accept) {
  if (prefers_type(accept, "application/json", "text/plain") ||
      prefers_type(accept, "application/problem+json", "text/plain")) {
    return problem(status, detail);
  }
  std::string body = std::to_string(status) + " " + std::string(status_words(status));
  if (!detail.empty()) body.append(": ").append(detail);
  return text(body + "\n").status(status);
}

Response ServingCore::without_route(const Request& request) const {
  const std::string_view accept = request.header("accept");
  if (request.method() == Method::kOptions && request.path() == "*") return Response(204);
  if (is_devious(request.path())) return error_response(400, "an invalid path", accept);
  const std::string allowed = table_->tree.allowed(request.path());
  if (allowed.empty()) return error_response(404, {}, accept);
  const bool asks =
      request.method() == Method::kOptions && !request.facts().has(MessageFacts::kUpgrade);
  if (asks) return Response(204).header("Allow", allowed);
  return error_response(405, {}, accept).header("Allow", allowed);
}

void ServingCore::finish(const Request& request, Response& response) const {
  for (const auto& hook : table_->after) hook(request, response);
}

bool ServingCore::has_after_hooks() const { return !table_->after.empty(); }

void ServingCore::tell_failed(const Request& request) const noexcept {
  if (!has_after_hooks()) return;
  try {
    Response response = error_response(500, {}, request.header("accept"));
    finish(request, response);
  } catch (...) {
    // What the handler has thrown is told by the server; a hook that throws has nobody to tell.
  }
}

void ServingCore::serve(const Request& request, const Route* route,
                        detail::Exchange& exchange) const {
  for (const auto& hook : table_->before) {
    if (auto response = hook(request)) return exchange.respond(std::move(*response));
  }
  if (route == nullptr) return exchange.respond(without_route(request));
  route->handler->run(request, exchange);
}

int64_t ServingCore::now() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(since).count();
}

size_t ServingCore::put(const Response& response, const ReplyFraming& framing, char* into) const {
  return put_head(response, framing, response.body_bytes(), dates_, now(), into);
}

std::string ServingCore::head(const Response& response, const ReplyFraming& framing) const {
  std::string made(head_bytes_max(response), '\0');
  made.resize(put_head(response, framing, response.body_bytes(), dates_, now(), made.data()));
  return made;
}

Answer ServingCore::answer_of_file(Response&& response, const ReplyFraming& framing) const {
  std::string made = head(response, framing);
  if (framing.drops_body || !status_has_body(response.status())) {
    return ended(Answer(std::move(made)), framing.closes);
  }
  Answer file(std::move(response).take_file());
  return ended(std::move(file).with_head(std::move(made)), framing.closes);
}

Answer ServingCore::answer(Response&& response, ReplyFraming framing) const {
  if (response.file() != nullptr) return answer_of_file(std::move(response), framing);
  const bool closes = framing.closes;
  return ended(Answer(serialize(std::move(response), framing, dates_, now())), closes);
}

std::string ServingCore::error_text(int status, std::string_view detail,
                                    const ReplyFraming& framing) const {
  Response response = error_response(status, detail, {});
  if (status == 503) response.header("Retry-After", "1");
  return serialize(std::move(response), framing, dates_, now());
}

void Reply::send(Response response) && {
  if (!head_.empty()) {
    try {
      core_->finish(Request(head_, facts_, base_.peer()), response);
    } catch (...) {
      response = Response(500);
    }
  }
  ReplyFraming framing = ReplyFraming::of(facts_);
  framing.closes =
      framing.closes || response.closes() || base_.cancelled().reason() == CancelReason::kDrain;
  std::move(base_).send(core_->answer(std::move(response), framing));
}

}}}  // namespace trireme::http
