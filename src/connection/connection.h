// One connection: plain data, in a slot of its loop. What is done with it is done by the classes
// that the I/O worker connects; each owns its part.
//
// Steps 2 to 6. Thread: the holder of its loop, always; nobody else ever sees it.
#pragma once

#include <memory>

#include "connection/codec_state.h"
#include "connection/input_buffer.h"
#include "connection/layer_chain.h"
#include "connection/life.h"
#include "connection/listening.h"
#include "connection/open_requests.h"
#include "connection/open_streams.h"
#include "connection/session_events.h"
#include "connection/write_queue.h"
#include "framing/checked_decoder.h"
#include "handling/job.h"
#include "reply/sequencer.h"
#include "runtime/drivers/channel.h"
#include "runtime/timer_wheel.h"

namespace trireme { inline namespace v0 {

struct Connection : Timer,  // the earliest of its clocks, or earlier (Clocks)
                    Channel,
                    RequestOwner {
  // The Receiver's: how the connection reads, and how much of it becomes a job.
  struct Reading {
    uint8_t requests_a_job = JobRequests::kMax;  // at most; falls to 1 when some came back unrun
    bool paused : 1 = false;
    bool awaits_more : 1 = false;  // the input ends in a part of a request
  };

  // What Clocks knows of its timer, and in ClockTimes what it judges by.
  struct ClockFlags {
    bool idle_armed : 1 = false;  // the timer is armed for the idle clock, or earlier; not `silent`
    // A clock - of the request, of lingering - ran out while something waited at its socket: it is
    // judged when that was heard.
    bool late : 1 = false;
    bool silent : 1 = false;  // no byte has come or gone: the clock of the first one runs
  };
  struct ClockTimes {
    TimePoint last_activity;    // noted by whoever moves bytes
    TimePoint request_started;  // first byte of the part of a request that waits (awaits_more)
  };

  // What few connections need; made when it is needed first.
  struct Rare {
    std::shared_ptr<const Codec> switched_codec;  // the decoder's, after Answer::then
    uint32_t codec_switches = 0;
    Mail* deferred = nullptr;  // pushes that wait for `writer`, oldest first, owned
    Mail* deferred_last = nullptr;
    std::unique_ptr<OpenRequests> open_requests;  // null: nothing needs be known of them
    std::unique_ptr<CodecState> codec_state;      // null: its codec has nothing of that
    size_t drain_bytes_left = 0;  // had arrived when the drain began and are not read yet
    size_t late_bytes_left = 0;   // likewise, when the clock of its request ran out; with `late`
    size_t discarded_bytes = 0;   // since its ending began
    size_t linger_unsent = 0;     // what the client had not taken when we looked last
    // Our direction ends in front of the reply to this request; 0: it does not end.
    uint64_t end_before = 0;
    std::unique_ptr<LayerChain> layers;  // null: there are none, or they were taken off
    std::unique_ptr<SessionEvents> events;
    std::unique_ptr<OpenStreams> streams;  // null: no reply is streamed
    StopList stops_due;                    // a job is to fire them
    StopList kept_stops;                   // of requests whose handlers have returned
    bool started_layer = false;            // with Answer::then_layer
    bool stream_ended = false;             // the socket's, whatever the layers have told of it
    bool reads_disk = false;               // a DiskRead is on its way
    bool sends_on = false;  // it has sent its share of a turn, and goes on in the next

    bool is_empty() const {
      return switched_codec == nullptr && codec_switches == 0 && deferred == nullptr &&
             open_requests == nullptr && codec_state == nullptr && drain_bytes_left == 0 &&
             late_bytes_left == 0 && discarded_bytes == 0 && linger_unsent == 0 &&
             end_before == 0 && layers == nullptr && events == nullptr && streams == nullptr &&
             stops_due.empty() && kept_stops.empty() && !(started_layer || reads_disk || sends_on);
    }
  };

  // An idle connection costs this and a SlotRecord, and nothing else (a test counts it): members
  // are in an order that leaves no gaps, the first one in the padding of Channel.
  uint32_t running_count = 0;
  ConnectionId id;
  const Listening* listening = nullptr;
  [[no_unique_address]] CheckedDecoder decoder;
  Life life;
  Reading reading;
  ClockFlags clocks;
  Sequencer sequencer;
  InputBuffer input;
  WriteQueue out;

  void* session = nullptr;
  Job* running = nullptr;          // list of jobs that have not been finished
  Job* writer = nullptr;           // the one that was granted the write token
  Connection* next_run = nullptr;  // of the run list (Turn); null: it is not listed
  std::unique_ptr<Rare> rare;
  ClockTimes times;

  // Of a job that the holder has made, and not recycled yet.
  static Connection& of(const Job& job) { return static_cast<Connection&>(*job.home.owner); }
  static Connection& of(const LayerJob& job) { return static_cast<Connection&>(*job.owner); }
  Rare& make_rare() {
    if (rare == nullptr) rare = std::make_unique<Rare>();
    return *rare;
  }
  // Null: nothing needs be known of them, or none was read yet.
  OpenRequests* open_requests() const {
    return rare == nullptr ? nullptr : rare->open_requests.get();
  }
  // Null: its codec has neither a decoder nor an encoder of its own.
  CodecState* codec_state() const { return rare == nullptr ? nullptr : rare->codec_state.get(); }
  bool has_encoder() const { return codec_state() != nullptr && codec_state()->traits.has_encoder; }
  // In the midst of a frame, although no byte of it may be there.
  bool is_in_frame() const {
    return decoder.is_in_frame() || (codec_state() != nullptr && codec_state()->is_in_frame());
  }
  // Frames that were decoded while a handler ran wait for their turn, or a gathered request.
  bool has_decoded_ahead() const {
    return codec_state() != nullptr &&
           (!codec_state()->ahead.empty() || codec_state()->incoming.is_whole ||
            codec_state()->incoming.has_failed);
  }
  // What its session is to be called for; null: nothing, or requests alone.
  SessionEvents* events() const { return rare == nullptr ? nullptr : rare->events.get(); }
  // Its replies that are streamed; null: there are none.
  OpenStreams* streams() const { return rare == nullptr ? nullptr : rare->streams.get(); }
  // Bytes of ours leave, and nobody knows of what.
  void note_sent(TimePoint now) {
    if (listening->push_is_activity) times.last_activity = now;
  }
  // A reply leaves, which counts in any case.
  void note_replied(TimePoint now) {
    if (!listening->push_is_activity) times.last_activity = now;
  }
  // A connection that has nothing special any more is as fast as one that never had.
  void drop_empty_rare() {
    if (rare != nullptr && rare->is_empty()) rare.reset();
  }
  // It goes on to send in its next turn; or a reply that was held may leave.
  bool sends_on() const { return rare != nullptr && rare->sends_on; }
  bool leaves_more() const { return sends_on() || sequencer.holds_next(); }
  bool has_stops_due() const { return rare != nullptr && !rare->stops_due.empty(); }
  bool has_layers() const { return rare != nullptr && rare->layers != nullptr; }
  // Its layers are not through yet: nobody above knows of it.
  bool is_shaking() const { return has_layers() && !rare->layers->is_open(); }
  // One of them is lent to a job: the slot waits for it.
  bool is_layer_at_work() const { return has_layers() && rare->layers->is_at_work(); }
  uint32_t codec_switches() const { return rare == nullptr ? 0 : rare->codec_switches; }
  // Nothing is special about it: it reads, nothing waits to be sent, and of its clocks only the
  // idle one runs, when no request does.
  bool is_plain() const {
    return life.is_plain() && rare == nullptr && out.empty() &&
           reading.requests_a_job == JobRequests::kMax && !reading.paused && !reading.awaits_more &&
           clocks.idle_armed && !life.is_callback_out() && !decoder.stands_still();
  }
  bool is_live() const { return life.is_live(); }
  // Handlers run, or replies have not left.
  bool is_at_work() const { return sequencer.in_flight() > 0 || running_count > 0; }
  // Bytes that the socket has not taken, and those that wait in front of the layers for it.
  size_t unsent() const { return out.bytes() + (has_layers() ? rare->layers->plain().bytes() : 0); }
  bool has_unsent() const { return unsent() > 0; }
  void drop_unsent() {
    out.clear();
    if (has_layers()) rare->layers->plain().clear();
  }
  // While our direction is to end: a reply is due that leaves before.
  bool is_reply_due_before_end() const {
    if (sequencer.in_flight() == 0) return false;
    // Without an order the oldest request may be the last one to be answered.
    const uint64_t oldest = listening->is_unordered && !open_requests()->empty()
                                ? open_requests()->oldest()
                                : sequencer.next_to_leave();
    return oldest < rare->end_before;
  }
  // The reply to request `number` does not leave: our direction has ended in front of it.
  bool drops_reply(uint64_t number) const {
    return !life.is_output_open() && number >= rare->end_before;
  }
};

}}  // namespace trireme
