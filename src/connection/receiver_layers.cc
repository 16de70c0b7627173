#include <string_view>

#include "connection/ending.h"
#include "connection/receiver.h"

namespace trireme { inline namespace v0 {

// No bytes: the end of its stream.
void Receiver::take_layered(Connection& connection, std::string_view raw) {
  if (raw.empty()) connection.rare->stream_ended = true;
  Layers::Plain plain;
  if (!parts_.layers.receive(connection, raw, plain)) return;
  take_plain(connection, plain);
  go_on(connection);
}

void Receiver::take_back(LayerJob& job) {
  parts_.loop.assume_held();
  Connection& connection = Connection::of(job);
  if (!connection.is_live()) {
    parts_.layers.put_back(connection, job);
    return parts_.ending.try_release(connection);
  }
  parts_.turn.take_in_hand(connection);
  note_decoding(connection);
  if (!connection.life.is_open()) return parts_.layers.put_back(connection, job);
  connection.times.last_activity = parts_.loop.now();
  Layers::Plain plain;
  if (!parts_.layers.take_back(connection, job, plain)) return;
  take_plain(connection, plain);
  go_on(connection);
}

void Receiver::go_on(Connection& connection) {
  Layers::Plain plain;
  while (parts_.layers.go_on(connection, plain)) take_plain(connection, plain);
}

void Receiver::take_plain(Connection& connection, const Layers::Plain& plain) {
  if (plain.is_raw) {
    keep(connection, plain.bytes);
  } else if (!plain.bytes.empty() && !connection.input.append(parts_.input_blocks, plain.bytes)) {
    return parts_.ending.close(connection, CloseReason::kOutOfMemory);
  }
  if (plain.peer_ended) note_end(connection);
}

// The peer has ended its stream. Where that means that it is gone, requests that have not begun
// never do: not even those that are here already.
void Receiver::note_end(Connection& connection) {
  connection.life.note_peer_ended();
  if (connection.life.is_open() && connection.listening->options.half_close == HalfClose::kGone)
    parts_.ending.close(connection, CloseReason::kPeerClosed);
}

}}  // namespace trireme
