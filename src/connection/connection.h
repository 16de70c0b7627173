// One connection: plain data. All that is done with it is done by its I/O worker.
//
// Steps 2 and 6. Thread: the holder of its loop, always; nobody else ever sees it.
//
// Phases:
//
//   kOpen ------> kFinishing -----------> kLingering ------> kClosed -----> (slot free)
//     |  stop reading   all replies written,  end of stream or    kClosed told by the driver,
//     |  requests       FIN sent              grace is over       no job running, on_close has
//     |                                                           returned
//     '----------------------------------------------------------^
//        reset, timeout, out of memory, drain cut: at once
//
// kFinishing answers what has been read. It skips kLingering when the peer has ended its stream
// already: there is nothing left that closing could destroy.
#pragma once

#include <deque>
#include <memory>

#include "connection/input_buffer.h"
#include "connection/listening.h"
#include "connection/write_queue.h"
#include "framing/decoder.h"
#include "handling/job.h"
#include "reply/sequencer.h"
#include "runtime/drivers/channel.h"
#include "runtime/timer_wheel.h"

namespace trireme { inline namespace v0 {

struct Connection : Timer,  // the earliest of its clocks, or earlier (clocks.cc)
                    Channel,
                    RequestOwner {
  enum class Phase : uint8_t { kFree, kOpen, kFinishing, kLingering, kClosed };

  // A request whose reply has not left.
  struct Started {
    TimePoint read_at;
    Job* job;  // null: there is none, or it is finished
  };

  // What few connections need; made when it is needed first.
  struct Rare {
    std::shared_ptr<const Codec> switched_codec;  // the decoder's, after Answer::then
    uint32_t codec_switches = 0;
    Mail* deferred = nullptr;  // pushes that wait for `writer`, oldest first, owned
    Mail* deferred_last = nullptr;
    // One for each request in flight; only with a handler deadline.
    std::unique_ptr<std::deque<Started>> started;
    size_t drain_bytes_left = 0;  // had arrived when the drain began and are not read yet
    size_t linger_unsent = 0;     // what the client had not taken when we looked last
  };

  // An idle connection costs this and a SlotRecord, and nothing else (a test counts it): members
  // are in an order that leaves no gaps, the first one in the padding of Channel.
  uint32_t running_count = 0;
  ConnectionId id;
  const Listening* listening = nullptr;
  [[no_unique_address]] Decoder decoder;
  uint8_t requests_a_job = Job::kRequestsMax;  // at most; falls to 1 when some came back unrun
  Phase phase = Phase::kFree;
  CloseReason reason = CloseReason::kPeerClosed;
  bool input_ended : 1 = false;    // the peer's end of stream was read
  bool input_stopped : 1 = false;  // we read no further requests (drain, close)
  bool decode_ended : 1 = false;   // nothing more will be decoded
  bool reading_paused : 1 = false;
  bool write_blocked : 1 = false;  // over the high watermark, until below the low one
  bool awaits_more : 1 = false;    // the input ends in a part of a request
  bool session_opened : 1 = false;
  bool close_done : 1 = false;    // on_close has returned, or there is none to call
  bool drain_due : 1 = false;     // on_drain is to be called
  bool callback_out : 1 = false;  // on_open, on_drain or on_close runs: no request starts beside it
  bool draining : 1 = false;
  bool goodbye_said : 1 = false;
  bool channel_closed : 1 = false;  // the driver has given the channel back
  bool in_run_list : 1 = false;
  bool counts_address : 1 = false;
  bool replies_ended : 1 = false;    // an answer has closed the connection: none follows it
  bool protocol_failed : 1 = false;  // the codec has given up
  bool close_pending : 1 = false;    // closed for `reason` as soon as `writer` has come home
  bool idle_armed : 1 = false;  // the timer is armed for the idle clock, or earlier; not `silent`
  // A clock - of the request, of lingering - ran out while something waited at its socket: it is
  // judged when that was heard.
  bool late : 1 = false;
  bool silent : 1 = false;  // no byte has come or gone: the clock of the first one runs
  [[no_unique_address]] Sequencer sequencer;
  // Lingering: discarded so far; 4 GiB - 1 stands for more. Open and `late`: of what had arrived
  // when the clock of its request ran out, not read yet.
  uint32_t counted_bytes = 0;

  InputBuffer input;
  WriteQueue out;

  void* session = nullptr;
  Job* running = nullptr;  // list of jobs that have not been finished
  Job* writer = nullptr;   // the one that was granted the write token
  Connection* next_run = nullptr;
  std::unique_ptr<Rare> rare;
  TimePoint last_activity;
  TimePoint
      request_started;  // first byte of the part of a request that is waiting; with awaits_more

  // Of a job that the holder has made, and not recycled yet.
  static Connection& of(const Job& job) { return static_cast<Connection&>(*job.owner); }
  Rare& make_rare() {
    if (rare == nullptr) rare = std::make_unique<Rare>();
    return *rare;
  }
  // Those requests; null: there is no deadline, or none was read yet.
  std::deque<Started>* started() const { return rare == nullptr ? nullptr : rare->started.get(); }
  uint32_t codec_switches() const { return rare == nullptr ? 0 : rare->codec_switches; }
  // Nothing is special about it: it reads, nothing waits to be sent, and of its clocks only the
  // idle one runs, when no request does.
  bool is_plain() const {
    return phase == Phase::kOpen && idle_armed && rare == nullptr && out.empty() &&
           requests_a_job == Job::kRequestsMax && !decoder.stands_still() &&
           !(input_ended || input_stopped || decode_ended || reading_paused || write_blocked ||
             awaits_more || drain_due || callback_out || draining || replies_ended ||
             protocol_failed || close_pending);
  }
  bool is_live() const { return phase != Phase::kFree && phase != Phase::kClosed; }
};

}}  // namespace trireme
