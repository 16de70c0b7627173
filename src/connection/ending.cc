#include "connection/ending.h"

#include <algorithm>
#include <new>
#include <string>
#include <utility>

#include "connection/cancels.h"
#include "connection/clocks.h"
#include "connection/finisher.h"
#include "connection/layers.h"
#include "connection/sender.h"
#include "connection/slots.h"
#include "connection/strand.h"
#include "connection/turn.h"
#include "runtime/check.h"
#include "runtime/memory/scarce.h"
#include "runtime/thrown.h"

namespace trireme { inline namespace v0 {

void Ending::drain(Connection& connection) {
  loop_.assume_held();
  if (!connection.life.drain(connection.listening->has_session)) return;
  cancels_.cancel_all(connection, CancelReason::kDrain);
  if (!connection.life.is_open()) return;
  const bool ended = connection.life.peer_ended();
  const size_t waiting = ended ? 0 : loop_.driver().bytes_readable(connection);
  if (waiting > 0) {
    connection.make_rare().drain_bytes_left = waiting;
  } else {
    connection.life.stop_input();
  }
  if (connection.life.is_stopped() && connection.is_shaking())
    return close(connection, CloseReason::kDrained);
  turn_.schedule(connection);
}

void Ending::finish(Connection& connection, CloseReason reason) {
  if (!connection.life.finish(reason)) return;
  const CodecState* const state = connection.codec_state();
  if (!turn_.pending(connection).empty() || (state != nullptr && !state->ahead.empty()))
    books_.partial_requests_dropped.add();
  drop_input(connection);
  for (Job* job = connection.running; job != nullptr; job = job->home.next_running) {
    job->cancellation.run_no_more();
  }
  turn_.schedule(connection);
}

void Ending::end_output(Connection& connection) {
  if (!connection.life.end_output()) return;
  const uint64_t next = connection.sequencer.next_to_leave() + connection.sequencer.in_flight();
  if (!with_memory([&] { connection.make_rare().end_before = next; }))
    return close(connection, CloseReason::kOutOfMemory);
  turn_.schedule(connection);
}

void Ending::fail_codec(Connection& connection, std::string_view what) {
  loop_.assume_held();
  context_.codec_gate.write(context_.log, LogLevel::kError, loop_.now(), [&] {
    const std::string client = context_.roster.describe(connection.id);
    std::string line = "a connection is closed, the codec of '";
    line += connection.listening->name;
    line += "' has made a mistake with " + (client.empty() ? "its client" : client) + ": ";
    line += what;
    return line;
  });
  finish(connection, CloseReason::kCodecError);
  connection.life.blame(CloseReason::kCodecError);  // also if it was about to end
}

void Ending::fail_layers(Connection& connection, std::string_view why, bool has_words) {
  loop_.assume_held();
  context_.layer_gate.write(context_.log, LogLevel::kWarning, loop_.now(), [&] {
    const std::string client = context_.roster.describe(connection.id);
    return (client.empty() ? "a client" : client) + " of '" +
           std::string(connection.listening->name) +
           "' is closed by a transport layer: " + std::string(why);
  });
  if (!has_words) return close(connection, CloseReason::kLayerFailed);
  connection.rare->layers->plain().clear();  // they take no more
  // Without a session there is nobody who could be told.
  if (!connection.life.is_session_open()) connection.life.note_drain_callback();
  finish(connection, CloseReason::kLayerFailed);
}

bool Ending::refuse_tls(Connection& connection, std::string_view first) {
  loop_.assume_held();
  // A record of a handshake, of version 3.0 to 3.4 (RFC 8446, section 5.1). No text begins so.
  const bool is_hello = first.starts_with("\x16\x03") &&
                        (first.size() == 2 || static_cast<unsigned char>(first[2]) <= 4);
  if (!is_hello || !connection.listening->codec_traits.is_text) return false;
  context_.layer_gate.write(context_.log, LogLevel::kWarning, loop_.now(), [&] {
    return context_.roster.describe(connection.id) + " of '" +
           std::string(connection.listening->name) + "' is closed: it speaks TLS to a plain port";
  });
  close(connection, CloseReason::kProtocolError);
  return true;
}

// In a catch block.
void Ending::note_layer_threw(Connection& connection) {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    close(connection, CloseReason::kOutOfMemory);
  } catch (...) {
    fail_layers(connection, "it threw: " + describe_thrown(), false);
  }
}

void Ending::step(Connection& connection) {
  loop_.assume_held();
  const Life& life = connection.life;
  if (life.peer_ended() && life.is_open() &&
      connection.listening->options.half_close == HalfClose::kGone) {
    return close(connection, CloseReason::kPeerClosed);
  }
  if (life.is_output_ending()) send_output_end(connection);
  while (true) {
    switch (connection.life.step(connection.is_at_work())) {
      case Life::Step::kFinish:
        connection.life.begin_finishing();
        break;
      case Life::Step::kSayGoodbye:
        say_goodbye(connection);
        break;
      case Life::Step::kSendRest:
        return send_rest(connection);
      default:
        return;
    }
  }
}

// All that is gathered or queued, and the last words of its layers. False: a part waits, or the
// connection is closed.
bool Ending::flush_all(Connection& connection) {
  sender_.flush(connection);
  sender_.settle(connection);
  if (connection.has_layers() && connection.is_live()) {
    sender_.finish_layers(connection);
    sender_.settle(connection);
    // Nothing more comes from the socket: there is nobody to linger for.
    if (connection.rare->stream_ended) connection.life.note_peer_ended();
  }
  return connection.is_live() && !connection.has_unsent();
}

// If the time has come.
void Ending::send_output_end(Connection& connection) {
  if (connection.is_reply_due_before_end()) return;  // it leaves first
  if (connection.is_shaking() || connection.is_layer_at_work()) return;
  if (!flush_all(connection)) return;
  loop_.driver().shutdown_write(connection);
  connection.life.note_output_ended();
}

void Ending::send_rest(Connection& connection) {
  const bool all_sent = flush_all(connection);
  switch (connection.life.step_when_sent(all_sent)) {
    case Life::Step::kClose:
      return close(connection, connection.life.reason());
    case Life::Step::kLinger:
      return linger(connection);
    default:
      return;
  }
}

void Ending::linger(Connection& connection) {
  if (!connection.life.has_output_ended()) loop_.driver().shutdown_write(connection);
  connection.life.linger();
  connection.clocks.late = false;
  connection.times.last_activity =
      context_.platform.clock.now();  // from now on: when the client took bytes
  clocks_.start_lingering(connection);
  connection.reading.paused = false;
  loop_.driver().receive(connection);
}

// If the codec still has a say.
void Ending::say_goodbye(Connection& connection) {
  const CloseReason reason = connection.life.farewell();
  connection.life.note_goodbye();
  if (connection.is_shaking()) return;
  if (connection.life.reason() == CloseReason::kCodecError) return;
  sender_.write(connection, last_words(connection, reason));
}

bool Ending::has_words(Connection& connection, CloseReason reason) {
  return !last_words(connection, reason).empty() && connection.life.is_open();
}

std::string Ending::last_words(Connection& connection, CloseReason reason) {
  try {
    return connection.decoder.codec()->last_words(reason);
  } catch (...) {
    fail_codec(connection, "last_words() threw: " + describe_thrown());
    return {};
  }
}

void Ending::discard(Connection& connection, size_t bytes) {
  loop_.assume_held();
  if (bytes == 0) connection.life.note_peer_ended();
  const bool enough = bytes > 0 && (connection.make_rare().discarded_bytes += bytes) >
                                       context_.options.linger_bytes_max;
  if (connection.life.is_lingering() &&
      (bytes == 0 || (enough && has_taken_all(connection)) ||
       (connection.clocks.late && loop_.driver().bytes_readable(connection) == 0))) {
    close(connection, connection.life.reason());
  }
}

bool Ending::has_taken_all(Connection& connection) {
  loop_.assume_held();
  const size_t unsent = loop_.driver().bytes_unsent(connection);
  if (unsent == 0) return true;
  if (unsent != std::exchange(connection.make_rare().linger_unsent, unsent)) {
    connection.times.last_activity = loop_.now();
  }
  const Duration time_max = connection.listening->options.limits.write_time_max;
  return time_max > Duration(0) &&
         loop_.now() >= time_after(connection.times.last_activity, time_max);
}

void Ending::close(Connection& connection, CloseReason reason) {
  loop_.assume_held();
  if (!connection.is_live() || connection.life.is_closing()) return;
  if (!sender_.owns_writing(connection)) {
    // A data worker is in send(2) on this descriptor: end the stream now, close when its job has
    // come home.
    connection.life.close_later(reason);
    cancels_.cancel_all(connection, CancelReason::kPeerGone);
    loop_.driver().pause(connection);
    context_.platform.kernel.shutdown(connection.fd, SHUT_RDWR);
    return;
  }
  books_.replies_dropped.add(connection.sequencer.in_flight() -
                             connection.sequencer.held_of_decoder());
  if (connection.life.is_open() && connection.reading.awaits_more)
    books_.partial_requests_dropped.add();
  cancels_.cancel_all(connection, CancelReason::kPeerGone);
  connection.sequencer = Sequencer();
  if (OpenStreams* const streams = connection.streams()) {
    streams->end_all(context_.platform.threads);
    connection.rare->streams.reset();
  }
  if (connection.open_requests() != nullptr) connection.open_requests()->clear();
  connection.drop_unsent();
  sender_.drop_gathered(connection);
  drop_input(connection);
  loop_.timers().cancel(connection);
  strand_.stop(connection);
  loop_.driver().close(connection);
  note_gone(connection, reason);
  layers_.withdraw(connection);
  finisher_.withdraw_all(connection);
}

void Ending::close_unattached(Connection& connection, CloseReason reason) {
  loop_.assume_held();
  connection.life.note_channel_closed();
  note_gone(connection, reason);
  connection.life.note_session_done();
  try_release(connection);
}

bool Ending::close_if_due(Connection& connection) {
  if (!connection.life.is_closing()) return false;
  connection.life.note_writer_home();
  close(connection, connection.life.reason());
  return true;
}

// The books and the public record of a connection that has no socket any more.
void Ending::note_gone(Connection& connection, CloseReason reason) {
  connection.life.close(reason);
  books_.closed_by_reason[static_cast<size_t>(reason)].add();
  SlotRecord& record = context_.roster.record(loop_.index(), connection.id.slot());
  record.generation.store(0, std::memory_order_relaxed);
  record.unsent_bytes.store(0, std::memory_order_relaxed);
  if (reason == CloseReason::kOutOfMemory) {
    context_.memory_gate.write(context_.log, LogLevel::kWarning, loop_.now(), [] {
      return std::string(
          "a connection is closed: there is no memory for its bytes, see buffer_bytes_max");
    });
  }
  if (record.counts_address) context_.addresses.leave(context_.roster.address(connection.id));
  context_.places.give_turn(AcceptWait::kDescriptor);
}

void Ending::drop_input(Connection& connection) {
  turn_.drop_received(connection);
  connection.input.clear();
  if (connection.codec_state() == nullptr) return;
  connection.codec_state()->drop_ahead();
  connection.codec_state()->fail_body(BodyFailure::kGone);
}

void Ending::try_release(Connection& connection) {
  if (!connection.life.may_be_released()) return;
  if (connection.has_stops_due()) return;
  if (connection.running_count > 0 || Turn::is_listed(connection) || turn_.is_at_hand(connection))
    return;
  if (connection.is_layer_at_work()) return;
  CHECK(!connection.timer_armed() && connection.fd == -1, "a slot is given back in use");
  slots_.release(connection);
  // Not before: a client that is accepted must find a slot.
  context_.places.leave();
}

}}  // namespace trireme
