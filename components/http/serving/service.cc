#include "http/serving/service.h"

#include <utility>

#include "http/serving/codec.h"
#include "http/serving/events_codec.h"
#include "http/serving/websocket_codec.h"

namespace trireme { inline namespace v0 { namespace http {

namespace {

// The head of a stream of events. Nothing between may keep it back: caches, compression, buffers of
// proxies.
Response response_of_events() {
  return Response()
      .header("Cache-Control", "no-cache, no-transform")
      .header("X-Accel-Buffering", "no")
      .constant_type("text/event-stream");
}

// Whoever feeds a stream sees that it has gone; it needs no callbacks but that of its heartbeat.
class EventsUpgraded final : public Upgraded {
 public:
  EventsUpgraded(EventStream stream, std::chrono::nanoseconds heartbeat_time)
      : stream_(std::move(stream)), heartbeat_time_(heartbeat_time) {
    set_timer();
  }

  void on_request(const trireme::Request&, trireme::detail::Responder& responder) override {
    responder.answer(no_answer());
  }
  void on_timer(uint64_t) override {
    static_cast<void>(stream_.comment());
    set_timer();
  }
  void on_writable() override {}
  void on_drain() override {}
  void on_close(CloseReason) override {}

 private:
  void set_timer() const {
    if (heartbeat_time_ > heartbeat_time_.zero()) {
      static_cast<void>(stream_.peer().after(heartbeat_time_, 0));
    }
  }

  EventStream stream_;
  std::chrono::nanoseconds heartbeat_time_;
};

// Small responses are put together on the stack, and gather with others in the job.
constexpr size_t kSmallBytes = 1536;

class ExchangeOfJob final : public detail::Exchange {
 public:
  ExchangeOfJob(const std::shared_ptr<const ServingCore>& core, const trireme::Request& base,
                const Request& request, const Route* route, trireme::detail::Responder& responder,
                ConnectionSession* session)
      : core_(core),
        base_(base),
        request_(request),
        route_(route),
        responder_(responder),
        session_(session) {}

  void respond(Response&& response) override {
    is_finished_ = true;
    core_->finish(request_, response);
    ReplyFraming framing = ReplyFraming::of(request_.facts());
    framing.closes = framing.closes || response.closes() ||
                     request_.cancelled().reason() == CancelReason::kDrain;
    char buffer[kSmallBytes];
    responder_.answer(core_->answer_in(buffer, std::move(response), framing));
  }
  Reply take_reply() override {
    is_finished_ = true;
    std::string head(core_->has_after_hooks() ? request_.head() : std::string_view());
    return Reply(responder_.take_reply(), request_.facts(), core_, std::move(head));
  }
  std::optional<EventStream> begin_events() override;
  void upgrade(const std::shared_ptr<const WebSocketRoute>& route) override;
  // Hooks have seen the response, or will.
  bool is_finished() const { return is_finished_; }

 private:
  void refuse_upgrade(const Handshake& handshake);

  const std::shared_ptr<const ServingCore>& core_;
  const trireme::Request& base_;
  const Request& request_;
  const Route* route_;
  trireme::detail::Responder& responder_;
  ConnectionSession* session_;
  bool is_finished_ = false;
};

std::optional<EventStream> ExchangeOfJob::begin_events() {
  const bool in_chunks = !request_.is_old();
  Response response = response_of_events();
  is_finished_ = true;
  core_->finish(request_, response);
  ReplyFraming framing = ReplyFraming::of(request_.facts());
  framing.closes = true;
  framing.body_end = in_chunks ? BodyEnd::kChunks : BodyEnd::kConnection;
  std::string head = core_->head(response, framing);
  if (request_.method() == Method::kHead) {
    responder_.answer(Answer(std::move(head)).close_after());
    return std::nullopt;
  }
  responder_.hold_pushes();
  auto is_closed = std::make_shared<std::atomic<bool>>(false);
  EventStream stream(request_.peer(), in_chunks, std::string(request_.header("last-event-id")),
                     is_closed);
  session_->upgraded = std::make_unique<EventsUpgraded>(stream, route_->options.heartbeat_time);
  responder_.answer(
      Answer(std::move(head))
          .then(std::make_shared<const EventsCodec>(in_chunks, std::move(is_closed))));
  return stream;
}

void ExchangeOfJob::refuse_upgrade(const Handshake& handshake) {
  Response response = error_response(handshake.status, handshake.reason, request_.header("accept"));
  if (handshake.status == 426) {
    response.header("Upgrade", "websocket").header("Sec-WebSocket-Version", "13");
  }
  respond(std::move(response));
}

void ExchangeOfJob::upgrade(const std::shared_ptr<const WebSocketRoute>& route) {
  const bool upgrades =
      request_.facts().has(MessageFacts::kUpgrade) && request_.method() == Method::kGet;
  Handshake handshake = shake_hands(request_.fields(), upgrades, request_.host(), route->handshake);
  if (handshake.status != 101) return refuse_upgrade(handshake);
  responder_.hold_pushes();
  std::string head = "HTTP/1.1 101 Switching Protocols\r\n" + core_->date_field();
  head += handshake.fields;
  auto shared = std::make_shared<const detail::WebSocketShared>(route, std::move(handshake));
  // The user's constructor: it may publish the socket, may block and may throw.
  auto session = route->factory->make(WebSocket(request_.peer(), shared), request_);
  Response response = Response::switching_protocols();
  is_finished_ = true;
  core_->finish(request_, response);
  head.append(response.fields()).append("\r\n");
  session_->upgraded =
      std::make_unique<WebSocketUpgraded>(shared, request_.peer(), std::move(session));
  responder_.answer(
      Answer(std::move(head))
          .then(std::make_shared<const WebSocketCodec>(std::move(shared), base_.kind())));
}

}  // namespace

void* HttpService::open(const Peer& /*peer*/) { return new ConnectionSession; }

void HttpService::on_request(void* session, const trireme::Request& base,
                             trireme::detail::Responder& responder) {
  auto* const own = static_cast<ConnectionSession*>(session);
  if (own != nullptr && own->upgraded != nullptr) return own->upgraded->on_request(base, responder);
  const Route* const route = core_->route_of(base.kind());
  const Request request(base, base.tag().as<MessageFacts>(),
                        route == nullptr ? nullptr : &route->pattern);
  ExchangeOfJob exchange(core_, base, request, route, responder, own);
  try {
    core_->serve(request, route, exchange);
  } catch (...) {
    if (!exchange.is_finished()) core_->tell_failed(request);
    throw;
  }
}

trireme::detail::SessionTraits HttpService::session() const {
  if (!core_->upgrades()) return {};
  return {.type = &trireme::detail::session_type_of<ConnectionSession>,
          .has_on_timer = true,
          .has_on_writable = true};
}

void HttpService::on_timer(void* session, uint64_t tag) {
  const auto* const own = static_cast<ConnectionSession*>(session);
  if (own->upgraded != nullptr) own->upgraded->on_timer(tag);
}

void HttpService::on_writable(void* session) {
  const auto* const own = static_cast<ConnectionSession*>(session);
  if (own->upgraded != nullptr) own->upgraded->on_writable();
}

void HttpService::on_drain(void* session) {
  const auto* const own = static_cast<ConnectionSession*>(session);
  if (own->upgraded != nullptr) own->upgraded->on_drain();
}

void HttpService::on_close(void* session, CloseReason reason) {
  const std::unique_ptr<ConnectionSession> own(static_cast<ConnectionSession*>(session));
  if (own->upgraded != nullptr) own->upgraded->on_close(reason);
}

Served serve(Routes routes, const ServeOptions& options) {
  auto core = std::make_shared<const ServingCore>(std::move(routes), options);
  return {std::make_shared<HttpCodec>(core), std::make_shared<HttpService>(core)};
}

}}}  // namespace trireme::http
