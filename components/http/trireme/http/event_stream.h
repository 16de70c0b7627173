// Streams of events for browsers (EventSource): text/event-stream of the HTML standard. A stream
// is a connection of some hundred bytes and no thread.
//
//   routes.get("/events", [&](http::EventStream events) { feed.add(std::move(events)); });
//
// Thread: any.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "trireme/peer.h"

namespace trireme { inline namespace v0 { namespace http {

// One event. The text may have lines of its own; the other fields may not.
struct Event {
  std::string_view data{};
  std::string_view name{};  // empty: "message"
  std::string_view id{};    // empty: none
  std::optional<std::chrono::milliseconds> retry{};
};

// Any thread. The event as it goes out. Throws std::invalid_argument: a line end or NUL in its name
// or id.
std::string format_event(const Event& event);
// Any thread. A comment, which clients pass over: a sign of life.
std::string format_comment(std::string_view text);
// Any thread. Text of a stream as one chunk of HTTP.
std::string chunk_of(std::string_view text);

// One event for many streams: put together once. A value that copies.
class PreparedEvent {
 public:
  // Any thread. As format_event().
  explicit PreparedEvent(const Event& event);

  // Any thread. For streams: the event as a chunk, and without what makes it one, which is
  // borrowed.
  const SharedBytes& chunk() const { return chunk_; }
  std::string_view text() const { return chunk_.view().substr(head_bytes_, bytes_); }

 private:
  size_t bytes_ = 0;
  size_t head_bytes_ = 0;
  SharedBytes chunk_;
};

// The server's end of one stream. A value that copies; it may be stale, as a Peer may. Streams are
// kept by whoever feeds them. Requests behind that of the stream are not answered.
class EventStream {
 public:
  // Any thread. For the server.
  EventStream(Peer peer, bool in_chunks, std::string last_event_id,
              std::shared_ptr<std::atomic<bool>> is_closed)
      : peer_(std::move(peer)),
        last_event_id_(std::move(last_event_id)),
        is_closed_(std::move(is_closed)),
        in_chunks_(in_chunks) {}

  // Any thread. Never blocks. As Peer::send(): kFull and kClosed say that nothing was queued.
  // Overflow::kLatest lets a slow client see the newest event only.
  SendResult send(const Event& event, Overflow overflow = Overflow::kReject) const;
  SendResult send(std::string_view data, Overflow overflow = Overflow::kReject) const {
    return send(Event{.data = data}, overflow);
  }
  // Any thread. The same, of an event that goes to many.
  SendResult send(const PreparedEvent& event, Overflow overflow = Overflow::kReject) const;
  // Any thread. The same for a comment. RouteOptions::heartbeat_time sends one from time to time.
  SendResult comment(std::string_view text = {}) const;
  // Any thread. Ends the stream in good order, behind what was sent before. The browser will ask
  // again.
  void close() const;

  // Any thread. False once the client has gone.
  bool connected() const { return peer_.connected(); }
  // Any thread. The id of the last event that the client has seen; empty: none.
  const std::string& last_event_id() const { return last_event_id_; }
  const Peer& peer() const { return peer_; }

 private:
  SendResult send_bytes(std::string bytes, Overflow overflow) const;

  Peer peer_;
  std::string last_event_id_;
  std::shared_ptr<std::atomic<bool>> is_closed_;  // owners: copies of this, and the codec
  bool in_chunks_ = true;
};

}}}  // namespace trireme::http
