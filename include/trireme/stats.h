// Numbers of a running server.
//
// Thread: any. A snapshot is a value.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "trireme/close_reason.h"

namespace trireme { inline namespace v0 {

// Where requests of one kind start under `adaptive`, and why. All loops together.
struct KindStats {
  std::string service{};   // ListenOptions::name
  uint32_t kind = 0;       // the codec's tag; 15 stands for itself and all above
  bool callbacks = false;  // not requests: on_open, on_drain and on_close of sessions
  bool pinned = false;     // ListenOptions::pinned_kinds
  uint64_t requests_inline = 0, requests_on_data_workers = 0;
  uint64_t late = 0;          // requests that took so long that they lost their loop, or would have
  uint32_t loops_inline = 0;  // the next request starts on the loop's thread in so many loops
  uint32_t loops_on_data_workers = 0;  // and on a data worker in so many
  // How long a request on the loop's thread lately keeps the loop's other connections waiting, in
  // the loop where that is longest. Over 4 us a kind moves to data workers, below 2 us it comes
  // back.
  std::chrono::nanoseconds cost{0};
  // The share of their time that requests under 20 us wait instead of computing, in the loop where
  // it is largest. 0 where requests are too short to matter.
  double waiting = 0;
};

// A snapshot. Each number is exact. Two numbers may be a moment apart while the server runs. Once
// the server has stopped, the books balance: made = gone + live for connections, descriptors,
// buffers, requests and timers.
struct Stats {
  // connections
  uint64_t accepted = 0;
  uint64_t refused = 0;          // over the limit per address
  uint64_t accept_failures = 0;  // errors of accept(2) after which accepting paused
  uint64_t accept_pauses = 0;    // each loop that accepts counts its own
  uint64_t closed = 0;
  uint64_t live = 0;  // accepted - refused - closed
  std::array<uint64_t, kCloseReasonCount> closed_by_reason{};
  // A slot outlives its socket until a running handler has returned.
  uint64_t slots_made = 0, slots_gone = 0;

  // requests
  uint64_t requests = 0;                  // decoded
  uint64_t replies = 0;                   // handed to the write queue, error replies included
  uint64_t replies_dropped = 0;           // the connection ended before its reply was there
  uint64_t unanswered = 0;                // answered with no_answer()
  uint64_t refused_frames = 0;            // frames that the codec refused
  uint64_t partial_requests_dropped = 0;  // not whole when the stream or the connection ended
  uint64_t handler_exceptions = 0;
  uint64_t handler_deadlines = 0;
  uint64_t stale_ids = 0;  // calls for connections, and answers to requests, that were gone

  // bytes and system calls
  uint64_t bytes_in = 0, bytes_out = 0;
  uint64_t loop_turns = 0;    // waits of event loops that have returned
  uint64_t wakeups = 0;       // of sleeping event loops, by other threads
  uint64_t late_turns = 0;    // turns that left ready connections for the next one
  uint64_t reads_paused = 0;  // times that a connection stopped reading to hold its client back

  // dispatch
  uint64_t jobs_inline = 0, jobs_on_data_workers = 0;
  uint64_t direct_writes = 0;     // replies that a data worker sent itself
  uint64_t hand_overs = 0;        // times that a job lost its loop
  uint64_t hand_overs_asked = 0;  // of these: at once, because its handler asked (blocking.h)
  uint64_t hand_overs_told = 0;   // of these: at once, because the lookout saw that it waits
  // Late jobs that kept their loop, and loop code that was late. With `adaptive` these are jobs
  // that compute while no CPU is free, looked for every millisecond; else all, looked for every 10
  // ms.
  uint64_t stalls = 0;
  uint64_t stall_reports = 0;  // lines in the log about them, and about hand-overs (debug)
  uint64_t data_workers = 0;   // threads now

  // Requests whose handlers wait on streams that were refused, over `stream_queue_max`.
  uint64_t streams_refused = 0;

  // Files of bodies that are gathered, over 64 KiB each, and the bytes in them.
  uint64_t spool_files_now = 0, spool_bytes_now = 0;

  // transport layers: steps that compute for long, such as those of TLS handshakes
  uint64_t layer_steps_inline = 0;      // on the loop's thread: under kInline
  uint64_t layer_steps_on_workers = 0;  // on threads of their own
  uint64_t layer_steps_refused = 0;     // over `layer_steps_max`, or there is no thread

  // books
  uint64_t descriptors_opened = 0, descriptors_closed = 0;
  uint64_t buffer_bytes_now = 0, buffer_bytes_peak = 0;
  uint64_t buffers_made = 0, buffers_gone = 0;
  uint64_t timers_made = 0, timers_gone = 0;

  std::vector<KindStats> kinds{};  // of all kinds that have come up
};

// Any thread. Whether made = gone + live holds for everything, once the server has stopped. If not,
// `why` is a constant that names the first account that does not balance.
bool books_balance(const Stats& stats, const char** why);

}}  // namespace trireme
