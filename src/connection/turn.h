// Whose turn it is in a loop: the connection at hand with what the driver's read buffer still holds
// for it, and the connections that have something to do without an event.
//
// Steps 2 to 6. Thread: the holder of the loop. Bounded: one connection is at hand, a connection is
// on the run list once at most, and of one connection at most kFramesMax requests are taken in a
// turn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "connection/connection.h"
#include "runtime/check.h"

namespace trireme { inline namespace v0 {

class Turn {
 public:
  static constexpr int kFramesMax = 256;  // of one connection, before others have their turn

  // --- The connection at hand ---
  Connection* at_hand() const { return at_hand_; }
  bool is_at_hand(const Connection& connection) const { return &connection == at_hand_; }
  void take_in_hand(Connection& connection) {
    at_hand_ = &connection;
    frames_ = 0;
  }
  void let_go() {
    at_hand_ = nullptr;
    frames_ = 0;
  }

  // False: other connections have their turn before its next frame.
  bool count_frame() {
    if (++frames_ <= kFramesMax) return true;
    frames_ = -1;
    return false;
  }
  void count_frames(uint32_t more) { frames_ += static_cast<int>(more); }
  uint32_t frames_left() const { return static_cast<uint32_t>(kFramesMax - frames_); }
  // count_frame has said so: there is more to decode for the connection at hand.
  bool was_cut_short() const { return frames_ < 0; }

  // What the read buffer holds for the connection at hand and is not consumed. Empty while that has
  // an input of its own.
  std::string_view received() const { return received_; }
  void set_received(std::string_view bytes) { received_ = bytes; }
  // The same of a connection that may be at hand, or not.
  std::string_view received_for(const Connection& connection) const {
    return is_at_hand(connection) ? received_ : std::string_view{};
  }
  void drop_received(const Connection& connection) {
    if (is_at_hand(connection)) received_ = {};
  }

  // All that has arrived for a connection and is not consumed.
  std::string_view pending(const Connection& connection) const {
    return connection.input.bytes() > 0 ? connection.input.view() : received_for(connection);
  }
  // Of the connection at hand.
  void consume(Connection& connection, size_t bytes) {
    if (connection.input.bytes() > 0) return connection.input.consume(bytes);
    CHECK(bytes <= received_.size(), "more is consumed than there was");
    received_.remove_prefix(bytes);
  }

  // --- The run list ---
  // Something may be done for it without an event. No effect on one that is listed or at hand.
  void schedule(Connection& connection) {
    if (is_listed(connection) || is_at_hand(connection)) return;
    connection.next_run = &connection;  // it is the last one, and listed
    (last_ == nullptr ? first_ : last_->next_run) = &connection;
    last_ = &connection;
    ++listed_;
  }
  static bool is_listed(const Connection& connection) { return connection.next_run != nullptr; }
  bool has_listed() const { return first_ != nullptr; }
  // A turn begins: those that are listed now belong to it.
  void begin() { left_ = listed_; }
  // Takes the next one of this turn off the list, and in hand. Null: there is none.
  Connection* next() {
    if (left_ == 0 || first_ == nullptr) return nullptr;
    --left_;
    --listed_;
    Connection* const connection = first_;
    first_ = std::exchange(connection->next_run, nullptr);
    if (connection == last_) first_ = last_ = nullptr;
    take_in_hand(*connection);
    return connection;
  }

 private:
  Connection* at_hand_ = nullptr;
  std::string_view received_;
  int frames_ = 0;

  Connection* first_ = nullptr;
  Connection* last_ = nullptr;
  uint32_t left_ = 0;  // of this turn
  uint32_t listed_ = 0;
};

}}  // namespace trireme
