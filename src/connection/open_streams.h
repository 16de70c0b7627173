// The streamed replies of one connection that have not ended: their writers, and pieces whose turn
// has not come. Data and rules; Streams makes them leave.
//
// Step 5. Thread: the holder of the loop. Bounded: in_flight_max of them; a writer stops at
// write_bytes_high that its client has not taken; pieces are charged to the budget.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>

#include "reply/charged_bytes.h"
#include "reply/stream_core.h"
#include "trireme/answer.h"
#include "trireme/frame.h"

namespace trireme { inline namespace v0 {

class OpenStreams {
 public:
  struct Piece {
    ChargedBytes bytes;
    FileRange file{};

    uint64_t size() const { return file.file ? file.bytes : bytes.text().size(); }
  };
  struct Stream {
    std::shared_ptr<StreamCore> core;
    Answer head;               // kept bytes only
    ReplyTag tag{};            // of its request
    std::deque<Piece> held{};  // that have not left
    uint64_t queued = 0;       // bytes that have left, and may wait for the socket
    bool has_begun = false;    // its head has left
    bool has_ended = false;    // by its writer
    bool drops_body = false;   // the codec wants no piece to leave
    bool closes = false;       // the connection ends behind it
  };
  using Streams = std::map<uint64_t, Stream>;  // by the number of the request

  // Throws where the system has no memory.
  Stream& add(uint64_t number, std::shared_ptr<StreamCore> core, Answer head) {
    return streams_.emplace(number, Stream{.core = std::move(core), .head = std::move(head)})
        .first->second;
  }
  // Null: there is none.
  Stream* find(uint64_t number) {
    const auto found = streams_.find(number);
    return found != streams_.end() ? &found->second : nullptr;
  }
  void remove(uint64_t number, Threads& threads) {
    const auto found = streams_.find(number);
    found->second.core->end(threads);
    streams_.erase(found);
  }
  bool empty() const { return streams_.empty(); }
  // Nobody takes more of any.
  void end_all(Threads& threads) {
    for (auto& [number, stream] : streams_) stream.core->end(threads);
    streams_.clear();
  }

  // Something stands between its head and its end: where replies have an order, nothing else may.
  bool is_in_midst() const {
    return std::any_of(streams_.begin(), streams_.end(),
                       [](const auto& entry) { return entry.second.has_begun; });
  }
  // The connection has so much unsent, of whatever: the rest of what has left is gone.
  void note_unsent(uint64_t unsent, uint64_t low, Threads& threads) {
    for (auto& [number, stream] : streams_) {
      if (stream.queued <= unsent) continue;
      stream.core->note_left(stream.queued - unsent, low, threads);
      stream.queued = unsent;
    }
  }
  // A session that somebody has told kFull need not be called yet; it is called.
  bool keep_waiting(uint64_t low) const {
    return std::any_of(streams_.begin(), streams_.end(),
                       [low](const auto& entry) { return entry.second.core->keeps_waiting(low); });
  }
  void note_called() {
    for (auto& [number, stream] : streams_) stream.core->note_called();
  }

 private:
  Streams streams_;
};

}}  // namespace trireme
