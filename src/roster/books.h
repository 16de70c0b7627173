// The books of what is done in one event loop: connections, requests, replies, jobs. Any thread may
// read them.
//
// Step: between the steps. Written by the holder of the loop, but for what is a SharedCounter. What
// the loop itself counts is in runtime/counters.h. What each name counts is said in
// trireme/stats.h.
#pragma once

#include <array>

#include "runtime/counters.h"
#include "trireme/close_reason.h"

namespace trireme { inline namespace v0 {

// At the door, for any loop.
struct DoorBooks {
  Counter accepted, refused, accept_failures, accept_pauses;
};

struct ConnectionBooks {
  Counter adopted, slots_made, slots_gone, stale_ids, reads_paused;
  std::array<Counter, kCloseReasonCount> closed_by_reason;
};

struct RequestBooks {
  Counter requests, replies, replies_dropped, unanswered, refused_frames, partial_requests_dropped;
};

struct JobBooks {
  Counter jobs_inline, jobs_on_data_workers, direct_writes, handler_exceptions, handler_deadlines;
  Counter layer_steps_inline, layer_steps_on_workers, layer_steps_refused;
  Counter streams_refused;
  SharedCounter hand_overs, hand_overs_asked, hand_overs_told, stalls;
};

// No two loops share a line of the cache.
struct alignas(64) Books : DoorBooks, ConnectionBooks, RequestBooks, JobBooks {};

}}  // namespace trireme
