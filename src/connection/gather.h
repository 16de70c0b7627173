// Replies of one connection, gathered to leave in one send.
//
// Step 6. Thread: the holder of the loop. Bounded: one buffer of kBytes for the whole loop.
#pragma once

#include <cstddef>
#include <cstring>
#include <string_view>
#include <utility>

#include "runtime/memory/buffers.h"

namespace trireme { inline namespace v0 {

struct Connection;

class Gather {
 public:
  explicit Gather(Buffers& budget) : block_(budget.make_fixed(kBytes)) {}

  bool is_empty() const { return connection_ == nullptr; }
  bool is_of(const Connection& connection) const { return connection_ == &connection; }
  size_t capacity() const { return block_.capacity(); }
  bool has_room(size_t bytes) const { return bytes_ + bytes <= block_.capacity(); }

  // It must be empty or of `connection`, and have room.
  void append(Connection& connection, std::string_view bytes) {
    connection_ = &connection;
    std::memcpy(block_.data() + bytes_, bytes.data(), bytes.size());
    bytes_ += bytes.size();
  }
  // Takes all of it, and whose it is (null: nobody's). The bytes are valid until the next append.
  std::string_view take(Connection*& whose) {
    whose = std::exchange(connection_, nullptr);
    return {block_.data(), std::exchange(bytes_, 0)};
  }
  // The loop ends.
  void end() { block_ = Block(); }

 private:
  static constexpr size_t kBytes = 64 << 10;

  Block block_;
  Connection* connection_ = nullptr;
  size_t bytes_ = 0;
};

}}  // namespace trireme
