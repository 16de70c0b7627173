// The requests of one job, and the memory that they are in: the read buffer, the connection's input
// block, or a copy of their own for a data worker.
//
// Step 4. Threads: the holder of the loop fills it in; the thread that runs the job counts `run`.
// Bounded: kMax requests.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "runtime/memory/buffers.h"
#include "trireme/codec.h"
#include "trireme/request.h"

namespace trireme { inline namespace v0 {

// What a decoder with a memory of its own has left with a request, the only one of its job.
struct AttachedToRequest : detail::LeftWithRequest {
  std::string owned{};  // the payload, if it is not empty
  std::string frame{};  // the frame, if it had to wait before its job was made
  std::shared_ptr<RequestView> view{};
  Charge charge{};  // of its bytes
};

struct JobRequests {
  static constexpr uint32_t kMax = 16;

  void reset() {
    number = 0;
    count = run = 0;
  }
  // All of them, with what is around them; one piece of memory.
  std::string_view bytes() const {
    if (count == 0) return {};
    return {begin, static_cast<size_t>(all[count - 1].end - begin)};
  }
  // Where `size` bytes are to be copied if they are few: behind the requests, so that they are in
  // the cache with them. Null: too many.
  char* room_for(size_t size) {
    static_assert(std::is_trivially_copyable_v<DecodedRequest>);
    const size_t room = (kMax - count) * sizeof(DecodedRequest);
    return size <= room ? reinterpret_cast<char*>(all.data() + count) : nullptr;
  }
  // The one that runs, or ran last.
  const DecodedRequest& last_run() const { return all[run - 1]; }
  uint64_t last_run_number() const { return number + run - 1; }

  // The holder, before the job is handed over or lent: the bytes are where they are to stay.
  void place_view() {
    if (attached.view != nullptr) attached.view->place(bytes().empty() ? nullptr : begin);
  }
  // The holder. Forgets what was attached.
  void detach() {
    if (std::exchange(has_attached, false)) attached = {};
  }

  // Their own copy for a data worker, where it does not fit behind them; kept for the next ones
  // while it is small (JobPool).
  Block storage;
  // The read buffer or input block that they are in, after a hand-over.
  std::shared_ptr<Block> kept;

  uint64_t number = 0;  // of the first; 0: a callback of a session, which has none
  uint32_t count = 0;
  uint32_t run = 0;  // of them, started
  const char* begin = nullptr;
  bool has_attached = false;
  std::array<DecodedRequest, kMax> all;
  AttachedToRequest attached;
};

}}  // namespace trireme
