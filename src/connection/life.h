// The life of one connection from its adoption to the end of its slot: one state machine for every
// ending. Data and rules only; what a step costs the socket is done by Ending.
//
// Steps 1 to 6. Thread: the holder of the loop. Bounded: every phase behind kOpen has a clock
// (Clocks), or waits for handlers that run.
//
//   kOpen ----> kDecoded -----> kFinishing ----------> kLingering -----> kClosed ----> kFree
//     |  nothing more  ^  at the    |  all replies have    |  end of stream    the driver has given
//     |  will be       |  end of    |  left, FIN is sent   |  or the grace     the channel back, no
//     |  decoded       |  its batch |                      |  is over          job runs, on_close
//     |                |            |                      |                   has returned
//     '--> kGivenUp ---|------------+--> kMuted -----------'
//          the codec   |            |    an answer has closed it: later replies are dropped
//          has refused |            |
//          for good    '-- finish() from kOpen, kGivenUp and kDecoded: by a handler, a clock, an
//                          answer, a mistake of the codec
//
// A reset, a timeout, lack of memory, the end of a drain: from any phase that lives to kClosed at
// once. While a data worker writes, that must wait (is_closing) until its job is home.
//
// kFinishing answers what has been read. It skips kLingering when the peer has ended its stream
// already: there is nothing left that closing could destroy.
//
// The two directions may end apart from each other, while the phase is kOpen or kDecoded:
// - The peer ends its own. What was read is decoded: kDecoded. Its session hears of that (on_end),
//   then kFinishing follows. With HalfClose::kStay it does not: kDecoded lasts until we end.
// - We end ours (Peer::end): FIN follows what is queued (Output::kEnding, then kEnded). Requests go
//   on, their replies are dropped.
#pragma once

#include <cstdint>

#include "trireme/close_reason.h"

namespace trireme { inline namespace v0 {

class Life {
 public:
  enum class Phase : uint8_t {
    kFree,
    kOpen,
    kGivenUp,  // the codec's last refusal waits for its turn; nothing is decoded
    kDecoded,
    kFinishing,
    kMuted,
    kLingering,
    kClosed,
  };
  // What an ending of ours does next.
  enum class Step : uint8_t {
    kWait,        // for a job, a reply, a client that takes bytes
    kFinish,      // begin_finishing
    kSayGoodbye,  // note_goodbye: the codec's last words, in a drain or for a reason of ours
    kSendRest,    // whatever is gathered must leave; then step_when_sent
    kLinger,      // linger
    kClose,       // close
  };

  Phase phase_for_test() const { return phase_; }
  CloseReason reason() const { return reason_; }
  bool is_free() const { return phase_ == Phase::kFree; }
  bool is_closed() const { return phase_ == Phase::kClosed; }
  bool is_lingering() const { return phase_ == Phase::kLingering; }
  bool is_muted() const { return phase_ == Phase::kMuted; }
  bool has_given_up() const { return phase_ == Phase::kGivenUp; }
  // It has a socket.
  bool is_live() const { return phase_ != Phase::kFree && phase_ != Phase::kClosed; }
  // Its ending has not begun.
  bool is_open() const { return phase_ >= Phase::kOpen && phase_ <= Phase::kDecoded; }
  // Input is kept for decoding, now or later.
  bool keeps_input() const { return phase_ == Phase::kOpen || phase_ == Phase::kGivenUp; }
  // Requests may start, as far as its life is concerned.
  bool decodes() const { return phase_ == Phase::kOpen && !is_closing_; }
  // Nothing of its ending has begun or is prepared.
  bool is_plain() const {
    return phase_ == Phase::kOpen && drain_ == Drain::kNone && output_ == Output::kOpen &&
           !(peer_ended_ || stopped_ || is_closing_);
  }

  // The driver has taken the socket.
  void open() { phase_ = Phase::kOpen; }

  // The peer's end of stream was read.
  bool peer_ended() const { return peer_ended_; }
  void note_peer_ended() { peer_ended_ = true; }
  // A layer begins that tells when the peer has ended.
  void forget_peer_ended() { peer_ended_ = false; }
  // Further bytes are no requests any more: in a drain, behind what had arrived when it began.
  bool is_stopped() const { return stopped_; }
  void stop_input() { stopped_ = true; }
  void note_given_up() {
    if (phase_ == Phase::kOpen) phase_ = Phase::kGivenUp;
  }
  void note_decoded() {
    if (phase_ != Phase::kOpen) return;
    phase_ = Phase::kDecoded;
    if (end_callback_ == EndCallback::kWanted && peer_ended_) end_callback_ = EndCallback::kDue;
  }

  // The end of the peer's stream does not end the connection.
  void stay_open() { stays_ = true; }
  // Its session has an on_end.
  void want_end_callback() { end_callback_ = EndCallback::kWanted; }
  // The peer has ended, and nothing that it has sent before waits: its session may hear of that,
  // although the codec is asked about the end only when a reply has left that is due.
  void note_end_heard() {
    if (end_callback_ == EndCallback::kWanted && is_open()) end_callback_ = EndCallback::kDue;
  }
  bool is_end_callback_due() const { return end_callback_ == EndCallback::kDue; }
  void note_end_callback() { end_callback_ = EndCallback::kNone; }

  // Our direction is to end, behind what is queued. False: it is known, or the whole ends already.
  [[nodiscard]] bool end_output() {
    if (!is_open() || output_ != Output::kOpen) return false;
    output_ = Output::kEnding;
    return true;
  }
  bool is_output_open() const { return output_ == Output::kOpen; }
  bool is_output_ending() const { return output_ == Output::kEnding && is_open(); }
  // FIN was sent, and the connection goes on.
  bool has_output_ended() const { return output_ == Output::kEnded; }
  void note_output_ended() { output_ = Output::kEnded; }

  // No further requests, replies to those that were read, FIN. False: its ending has begun before.
  [[nodiscard]] bool finish(CloseReason reason);
  // The answer that has just left is the last one.
  void mute() {
    if (phase_ == Phase::kFinishing) phase_ = Phase::kMuted;
  }
  // What is pushed may still leave. Behind the last reply, and behind last words, nothing does: an
  // ending would wait for ever for somebody who pushes.
  bool takes_pushes(bool at_work) const {
    return is_open() || (at_work && drain_ != Drain::kGoodbyeSaid);
  }
  // The reason is a worse one than was known.
  void blame(CloseReason reason) { reason_ = reason; }

  // A drain of the server. False: it is known already.
  [[nodiscard]] bool drain(bool has_session);
  bool is_draining() const { return drain_ != Drain::kNone; }
  bool is_drain_callback_due() const { return drain_ == Drain::kCallbackDue; }
  void note_drain_callback() {
    if (drain_ == Drain::kCallbackDue) drain_ = Drain::kOn;
  }
  void note_goodbye() { drain_ = Drain::kGoodbyeSaid; }
  // With kSayGoodbye: why the last words are said.
  CloseReason farewell() const { return drain_ == Drain::kNone ? reason_ : CloseReason::kDrained; }

  // `at_work`: handlers run, or replies have not left.
  Step step(bool at_work) const;
  // Behind kSendRest. `all_sent`: the write queue is empty.
  Step step_when_sent(bool all_sent) const;
  void begin_finishing();
  void linger() { phase_ = Phase::kLingering; }

  // To be closed as soon as the data worker that writes has come home.
  bool is_closing() const { return is_closing_; }
  void close_later(CloseReason reason) {
    is_closing_ = true;
    reason_ = reason;
  }
  void note_writer_home() { is_closing_ = false; }
  void close(CloseReason reason) {
    phase_ = Phase::kClosed;
    reason_ = reason;
  }

  // on_open has returned.
  bool is_session_open() const { return session_open_; }
  void note_session_open() { session_open_ = true; }
  // on_close has returned, or there is none to call.
  bool is_session_done() const { return session_done_; }
  void note_session_done() { session_done_ = true; }
  void note_session_due() { session_done_ = false; }
  // A callback of its session runs, beside which no request starts.
  bool is_callback_out() const { return callback_out_; }
  void note_callback_out(bool is_out) { callback_out_ = is_out; }
  // The driver has given the channel back.
  void note_channel_closed() { channel_closed_ = true; }
  // Closed, and neither the driver nor a session will come back to it.
  bool may_be_released() const { return is_closed() && channel_closed_ && session_done_; }
  void release() { phase_ = Phase::kFree; }

 private:
  enum class Drain : uint8_t { kNone, kCallbackDue, kOn, kGoodbyeSaid };  // the last: without, too

  enum class EndCallback : uint8_t { kNone, kWanted, kDue };
  enum class Output : uint8_t { kOpen, kEnding, kEnded };

  // There is nothing to decode any more, and yet it does not end.
  bool stays() const { return stays_ && peer_ended_ && !is_draining() && !has_output_ended(); }
  bool is_finishing() const { return phase_ == Phase::kFinishing || phase_ == Phase::kMuted; }

  Phase phase_ = Phase::kFree;
  CloseReason reason_ = CloseReason::kPeerClosed;
  Drain drain_ : 2 = Drain::kNone;
  bool peer_ended_ : 1 = false;
  bool stopped_ : 1 = false;
  bool is_closing_ : 1 = false;
  bool session_open_ : 1 = false;
  bool session_done_ : 1 = true;
  bool channel_closed_ : 1 = false;
  bool callback_out_ : 1 = false;
  bool stays_ : 1 = false;
  EndCallback end_callback_ : 2 = EndCallback::kNone;
  Output output_ : 2 = Output::kOpen;
};

}}  // namespace trireme
