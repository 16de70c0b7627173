#include "http/serving/service.h"

#include <utility>

#include "http/serving/codec.h"
#include "http/serving/events_codec.h"
#include "http/serving/websocket_codec.h"

namespace trireme { inline namespace v0 { namespace http {

namespace {

// The head of a stream of events. Nothing between may keep it back: caches, compression, buffers of
// proxies.
std::string head_of_events(const std::string& date, bool in_chunks) {
  std::string head = "HTTP/1.1 200 OK\r\n" + date +
                     "Content-Type: text/event-stream\r\nCache-Control: no-cache, no-transform\r\n"
                     "X-Accel-Buffering: no\r\nConnection: close\r\n";
  if (in_chunks) head += "Transfer-Encoding: chunked\r\n";
  return head + "\r\n";
}

// A stream needs no callbacks: whoever feeds it sees that it has gone.
class EventsUpgraded final : public Upgraded {
 public:
  void on_request(const trireme::Request&, trireme::detail::Responder& responder) override {
    responder.answer(no_answer());
  }
  void on_timer(uint64_t) override {}
  void on_writable() override {}
  void on_drain() override {}
  void on_close(CloseReason) override {}
};

// Small responses are put together on the stack, and gather with others in the job.
constexpr size_t kSmallBytes = 1536;

class ExchangeOfJob final : public detail::Exchange {
 public:
  ExchangeOfJob(const std::shared_ptr<const ServingCore>& core, const Request& request,
                trireme::detail::Responder& responder, ConnectionSession* session)
      : core_(core), request_(request), responder_(responder), session_(session) {}

  void respond(Response&& response) override {
    core_->finish(request_, response);
    ReplyFraming framing = ReplyFraming::of(request_.facts());
    framing.closes = framing.closes || response.closes() ||
                     request_.cancelled().reason() == CancelReason::kDrain;
    char buffer[kSmallBytes];
    responder_.answer(core_->answer_in(buffer, std::move(response), framing));
  }
  Reply take_reply() override { return Reply(responder_.take_reply(), request_.facts(), core_); }
  std::optional<EventStream> begin_events() override;
  void upgrade(const std::shared_ptr<const WebSocketRoute>& route) override;

 private:
  void refuse_upgrade(const Handshake& handshake);

  const std::shared_ptr<const ServingCore>& core_;
  const Request& request_;
  trireme::detail::Responder& responder_;
  ConnectionSession* session_;
};

std::optional<EventStream> ExchangeOfJob::begin_events() {
  const bool in_chunks = !request_.is_old();
  std::string head = head_of_events(core_->date_field(), in_chunks);
  if (request_.method() == Method::kHead) {
    responder_.answer(Answer(std::move(head)).close_after());
    return std::nullopt;
  }
  responder_.hold_pushes();
  session_->upgraded = std::make_unique<EventsUpgraded>();
  responder_.answer(Answer(std::move(head)).then(std::make_shared<const EventsCodec>(in_chunks)));
  return EventStream(request_.peer(), in_chunks, std::string(request_.header("last-event-id")));
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
  std::string head =
      "HTTP/1.1 101 Switching Protocols\r\n" + core_->date_field() + handshake.fields + "\r\n";
  responder_.hold_pushes();
  auto shared = std::make_shared<const detail::WebSocketShared>(route, std::move(handshake));
  // The user's constructor: it may publish the socket, may block and may throw.
  auto session = route->factory->make(WebSocket(request_.peer(), shared), request_);
  session_->upgraded =
      std::make_unique<WebSocketUpgraded>(shared, request_.peer(), std::move(session));
  responder_.answer(
      Answer(std::move(head))
          .then(std::make_shared<const WebSocketCodec>(std::move(shared), request_.base().kind())));
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
  ExchangeOfJob exchange(core_, request, responder, own);
  core_->serve(request, route, exchange);
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
