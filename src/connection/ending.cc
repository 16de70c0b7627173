// The life of a connection in its I/O worker: adopt, finish, linger, close, the end of its slot.
// One state machine for every ending (connection.h draws it).
#include <utility>

#include "connection/io_worker.h"
#include "runtime/check.h"
#include "runtime/memory/scarce.h"

namespace trireme { inline namespace v0 {

void IoWorker::adopt_in_loop(int fd, uint32_t listening_index, const SocketAddress& peer) {
  loop_.assume_held();
  LoopCounters& counters = loop_.counters;
  const Listening& listening = *listenings_[listening_index];
  counters.adopted.add();
  Connection* connection = slots_.take(peer);
  if (connection == nullptr) {
    // Every slot is held by a handler that outlives its socket, or there is no memory for more.
    const bool all_used = slots_.all_taken();
    const CloseReason reason = all_used ? CloseReason::kRefused : CloseReason::kOutOfMemory;
    context_.platform.kernel.close_socket(fd);
    counters.descriptors_closed.add();
    counters.closed_by_reason[static_cast<size_t>(reason)].add();
    context_.full_gate.write(context_.log, LogLevel::kWarning, loop_.now(), [&]() -> std::string {
      if (!all_used) return "a client is refused: there is no memory for its connection";
      return "a client is refused: handlers that outlive their connections hold all places of "
             "connections_max";
    });
    if (context_.options.connections_per_address_max > 0)
      context_.addresses.leave(ClientAddress::of(peer));
    return context_.places.leave();
  }
  SlotRecord& record = context_.roster.record(loop_.index(), connection->id.slot());
  context_.roster.publish_address(connection->id, peer);
  connection->counts_address = context_.options.connections_per_address_max > 0;
  connection->listening = &listening;
  connection->decoder.use(listening.codec.get());
  connection->close_done = !listening.has_session;
  connection->last_activity = loop_.now();
  connection->silent = listening.options.limits.first_byte_time_max > Duration(0);
  const int result = loop_.driver().attach(*connection, Channel::Role::kStream, fd);
  if (result < 0) {
    attach_gate_.write(context_.log, LogLevel::kWarning, loop_.now(), [&] {
      return "a connection was closed, it cannot be watched: " + why_not_watched(-result);
    });
    connection->channel_closed = true;
    connection_gone_in_loop(*connection, CloseReason::kSystemError);
    connection->close_done = true;
    return try_release_in_loop(*connection);
  }
  connection->phase = Connection::Phase::kOpen;
  record.write_bytes_high.store(static_cast<uint32_t>(listening.options.limits.write_bytes_high),
                                std::memory_order_relaxed);
  record.unsent_bytes.store(0, std::memory_order_relaxed);
  record.generation.store(connection->id.generation(), std::memory_order_relaxed);
  arm_in_loop(*connection);
  if (listening.has_session) turn_.schedule(*connection);
  if (draining_) drain_in_loop(*connection);
}

void IoWorker::drain_all_in_loop() {
  if (door_ != nullptr) door_->stop_in_loop(!cut_);
  draining_ = true;
  slots_.for_each_live([this](Connection& connection) {
    loop_.assume_held();
    if (cut_) {
      close_in_loop(connection, CloseReason::kDrainCut);
    } else {
      drain_in_loop(connection);
    }
    turn_.schedule(connection);
  });
}

// What has arrived by now will be answered: bytes that wait in the kernel count as arrived.
void IoWorker::drain_in_loop(Connection& connection) {
  if (connection.draining) return;
  connection.draining = true;
  cancel_jobs_in_loop(connection, CancelReason::kDrain);
  if (connection.phase != Connection::Phase::kOpen) return;
  connection.drain_due = connection.listening->has_session;
  const size_t waiting = connection.input_ended ? 0 : loop_.driver().bytes_readable(connection);
  if (waiting > 0) {
    connection.make_rare().drain_bytes_left = waiting;
  } else {
    connection.input_stopped = true;
  }
  turn_.schedule(connection);
}

// Ends a connection in good order: no further requests, replies to those that were read, FIN.
void IoWorker::finish_connection_in_loop(Connection& connection, CloseReason reason) {
  if (connection.phase != Connection::Phase::kOpen) return;
  connection.reason = reason;
  connection.input_stopped = true;
  connection.decode_ended = true;
  connection.phase = Connection::Phase::kFinishing;
  connection.counted_bytes = 0;
  if (!turn_.pending(connection).empty()) {
    loop_.counters.partial_requests_dropped.add();
  }
  turn_.drop_received(connection);
  connection.input.clear();
  for (Job* job = connection.running; job != nullptr; job = job->next_running) {
    job->run_no_more.store(true, std::memory_order_relaxed);
  }
  turn_.schedule(connection);
}

// Takes the next step of an ending, if its time has come.
void IoWorker::advance_ending_in_loop(Connection& connection) {
  if (connection.phase == Connection::Phase::kOpen && connection.decode_ended) {
    connection.reason = connection.input_ended ? CloseReason::kPeerClosed : CloseReason::kDrained;
    connection.phase = Connection::Phase::kFinishing;
    connection.counted_bytes = 0;
  }
  if (connection.phase != Connection::Phase::kFinishing) return;
  if (connection.sequencer.in_flight() > 0 || connection.running_count > 0 || connection.drain_due)
    return;
  if (connection.draining && !connection.goodbye_said) say_goodbye_in_loop(connection);
  if (out_connection_ == &connection) flush_in_loop();
  settle_in_loop(connection);
  if (!connection.is_live() || !connection.out.empty()) return;
  if (connection.input_ended) return close_in_loop(connection, connection.reason);
  loop_.driver().shutdown_write(connection);
  connection.phase = Connection::Phase::kLingering;
  connection.late = false;
  connection.last_activity =
      context_.platform.clock.now();  // from now on: when the client took bytes
  loop_.timers().arm(connection,
                     time_after(connection.last_activity, context_.options.linger_time_max));
  connection.reading_paused = false;
  loop_.driver().receive(connection);
}

// Lingering. Closing with unread input resets the connection, and a reset destroys what is still in
// our send buffer: a client that reads slowly gets the time of the write clock instead.
bool IoWorker::has_taken_all_in_loop(Connection& connection) {
  const size_t unsent = loop_.driver().bytes_unsent(connection);
  if (unsent == 0) return true;
  if (unsent != std::exchange(connection.make_rare().linger_unsent, unsent)) {
    connection.last_activity = loop_.now();
  }
  const Duration time_max = connection.listening->options.limits.write_time_max;
  return time_max > Duration(0) && loop_.now() >= time_after(connection.last_activity, time_max);
}

// Ends a connection at once. Its running handlers are told; their replies will be dropped. Requests
// that wait for a data worker are never started.
void IoWorker::close_in_loop(Connection& connection, CloseReason reason) {
  if (!connection.is_live() || connection.close_pending) return;
  LoopCounters& counters = loop_.counters;
  if (!owns_writing_in_loop(connection)) {
    // A data worker is in send(2) on this descriptor: end the stream now, close when its job has
    // come home.
    connection.close_pending = true;
    connection.reason = reason;
    cancel_jobs_in_loop(connection, CancelReason::kPeerGone);
    loop_.driver().pause(connection);
    context_.platform.kernel.shutdown(connection.fd, SHUT_RDWR);
    return;
  }
  counters.replies_dropped.add(connection.sequencer.in_flight());
  if (connection.phase == Connection::Phase::kOpen && connection.awaits_more)
    counters.partial_requests_dropped.add();
  cancel_jobs_in_loop(connection, CancelReason::kPeerGone);
  connection.sequencer = Sequencer();
  connection.out.clear();
  if (out_connection_ == &connection) {
    out_connection_ = nullptr;
    out_bytes_ = 0;
  }
  turn_.drop_received(connection);
  connection.input.clear();
  loop_.timers().cancel(connection);
  loop_.driver().close(connection);
  connection_gone_in_loop(connection, reason);
  withdraw_all_in_loop(connection);
}

// The books and the public record of a connection that has no socket any more.
void IoWorker::connection_gone_in_loop(Connection& connection, CloseReason reason) {
  connection.phase = Connection::Phase::kClosed;
  connection.reason = reason;
  loop_.counters.closed_by_reason[static_cast<size_t>(reason)].add();
  SlotRecord& record = context_.roster.record(loop_.index(), connection.id.slot());
  record.generation.store(0, std::memory_order_relaxed);
  record.unsent_bytes.store(0, std::memory_order_relaxed);
  if (reason == CloseReason::kOutOfMemory) {
    context_.memory_gate.write(context_.log, LogLevel::kWarning, loop_.now(), [] {
      return std::string(
          "a connection is closed: there is no memory for its bytes, see buffer_bytes_max");
    });
  }
  if (connection.counts_address) context_.addresses.leave(context_.roster.address(connection.id));
  context_.places.give_turn(AcceptWait::kDescriptor);
}

void IoWorker::cancel_jobs_in_loop(Connection& connection, CancelReason reason) {
  for (Job* job = connection.running; job != nullptr; job = job->next_running) {
    job->cancel(reason, context_.platform.threads);
    job->run_no_more.store(true, std::memory_order_relaxed);
  }
}

// Gives the slot back when nothing refers to it any more.
void IoWorker::try_release_in_loop(Connection& connection) {
  if (connection.phase != Connection::Phase::kClosed || !connection.channel_closed ||
      !connection.close_done)
    return;
  if (connection.running_count > 0 || connection.in_run_list || turn_.is_at_hand(connection))
    return;
  CHECK(!connection.timer_armed() && connection.fd == -1, "a slot is given back in use");
  slots_.release(connection);
  // Not before: a client that is accepted must find a slot.
  context_.places.leave();
}

}}  // namespace trireme
