// How Sender sends for connections with transport layers.
#include <string_view>

#include "connection/ending.h"
#include "connection/sender.h"

namespace trireme { inline namespace v0 {
namespace {

// What goes through the layers of `piece` at once, so that what they make of it stays small.
std::string_view through(std::string_view piece) { return piece.substr(0, 16 << 10); }

// None if a file is in front.
std::string_view first_of(const WriteQueue& queue) {
  iovec piece{};
  if (queue.front({&piece, 1}) == 0) return {};
  return {static_cast<const char*>(piece.iov_base), piece.iov_len};
}

}  // namespace

// As much as the socket takes of what they make goes through the layers; the rest waits in front of
// them.
void Sender::send_through(Connection& connection, const Pieces& pieces, const Owner& owner) {
  loop_.assume_held();
  size_t gone_through = 0;
  if (!connection.has_unsent()) {
    for (const std::string_view piece : pieces) {
      const size_t gone = send_piece_through(connection, piece);
      gone_through += gone;
      if (gone < piece.size()) break;
    }
  }
  if (!connection.is_live()) return;
  if (!keep(connection.rare->layers->plain(), pieces, gone_through, owner))
    return ending_.close(connection, CloseReason::kOutOfMemory);
  after_write(connection);
}

// Until something waits for the socket. Returns how many bytes have gone through.
size_t Sender::send_piece_through(Connection& connection, std::string_view piece) {
  size_t gone = 0;
  while (gone < piece.size() && connection.is_live() && connection.out.empty()) {
    const std::string_view next = through(piece.substr(gone));
    through_.clear();
    if (!ending_.guard_layers(connection,
                              [&] { return connection.rare->layers->send(next, through_); })) {
      return gone;
    }
    gone += next.size();
    send_raw(connection, through_);
  }
  return gone;
}

// What waits in front of the layers, likewise.
void Sender::send_plain_through(Connection& connection) {
  WriteQueue& plain = connection.rare->layers->plain();
  while (connection.is_live() && connection.out.empty() && !plain.empty()) {
    std::string_view bytes = first_of(plain);
    if (plain.has_file_in_front()) {
      const FileSending::Next next = files_.read(connection, plain, bytes);
      if (next == FileSending::Next::kNothing) return;
      if (next == FileSending::Next::kGoOn) continue;
    }
    const size_t gone = send_piece_through(connection, bytes);
    if (connection.is_live()) plain.pop(gone);
  }
}

void Sender::push_through(Connection& connection) {
  if (!connection.has_layers()) return;
  LayerChain& chain = *connection.rare->layers;
  while (connection.is_live() && !chain.plain().empty()) {
    // Nobody waits here for a disk.
    if (chain.plain().has_file_in_front()) return files_.cut(connection, CloseReason::kLayerFailed);
    const std::string_view next = through(first_of(chain.plain()));
    through_.clear();
    if (!ending_.guard_layers(connection, [&] { return chain.send(next, through_); })) return;
    chain.plain().pop(next.size());
    send_raw(connection, through_);
  }
}

void Sender::finish_layers(Connection& connection) {
  LayerChain& chain = *connection.rare->layers;
  if (connection.has_unsent() || chain.has_finished() || !chain.is_open()) return;
  through_.clear();
  if (ending_.guard_layers(connection, [&] { return chain.finish_sending(through_); }))
    send_raw(connection, through_);
}

}}  // namespace trireme
