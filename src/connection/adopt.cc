// How an I/O worker takes in a client.
#include <memory>
#include <string>

#include "connection/io_worker.h"
#include "runtime/memory/scarce.h"

namespace trireme { inline namespace v0 {

void IoWorker::adopt_in_loop(int fd, uint32_t listening_index, const SocketAddress& peer) {
  loop_.assume_held();
  const Listening& listening = *listenings_[listening_index];
  context_.books(loop_.index()).adopted.add();
  Connection* const connection = steps_.slots.take(peer);
  if (connection == nullptr) return refuse_in_loop(fd, listening, peer);
  SlotRecord& record = context_.roster.record(loop_.index(), connection->id.slot());
  context_.roster.publish_address(connection->id, peer);
  // Behind a proxy the address that it tells is counted.
  record.counts_address =
      context_.options.connections_per_address_max > 0 && !listening.demands_proxy;
  connection->listening = &listening;
  connection->decoder.use(listening.codec.get());
  if (listening.has_session) connection->life.note_session_due();
  if (listening.has_on_end) connection->life.want_end_callback();
  if (listening.options.half_close == HalfClose::kStay) connection->life.stay_open();
  connection->times.last_activity = loop_.now();
  // The first bytes of a text are looked at.
  connection->clocks.silent =
      listening.options.limits.first_byte_time_max > Duration(0) || listening.codec_traits.is_text;
  if (!listening.codec_traits.is_plain() && !with_memory([&] {
        connection->make_rare().codec_state = std::make_unique<CodecState>(listening.codec_traits);
      })) {
    context_.platform.kernel.close_socket(fd);
    loop_.counters.descriptors_closed.add();
    return steps_.ending.close_unattached(*connection, CloseReason::kOutOfMemory);
  }
  if (listening.has_layers()) {
    if (const auto failed = steps_.layers.begin(*connection)) {
      context_.platform.kernel.close_socket(fd);
      loop_.counters.descriptors_closed.add();
      return steps_.ending.close_unattached(*connection, *failed);
    }
  }
  const int result = loop_.driver().attach(*connection, Channel::Role::kStream, fd);
  if (result < 0) {
    attach_gate_.write(context_.log, LogLevel::kWarning, loop_.now(), [&] {
      return "a connection was closed, it cannot be watched: " + why_not_watched(-result);
    });
    return steps_.ending.close_unattached(*connection, CloseReason::kSystemError);
  }
  connection->life.open();
  record.listener.store(static_cast<uint16_t>(listening.index), std::memory_order_relaxed);
  record.unsent_bytes.store(0, std::memory_order_relaxed);
  record.asked_room.store(false, std::memory_order_relaxed);
  // Nobody knows of it before its layers are through.
  if (!listening.has_layers())
    record.generation.store(connection->id.generation(), std::memory_order_relaxed);
  steps_.clocks.arm(*connection);
  if (listening.has_session) steps_.turn.schedule(*connection);
  if (draining_) steps_.ending.drain(*connection);
}

// Every slot is held by a handler that outlives its socket, or there is no memory for more.
void IoWorker::refuse_in_loop(int fd, const Listening& listening, const SocketAddress& peer) {
  const bool all_taken = steps_.slots.all_taken();
  const CloseReason reason = all_taken ? CloseReason::kRefused : CloseReason::kOutOfMemory;
  context_.platform.kernel.close_socket(fd);
  loop_.counters.descriptors_closed.add();
  context_.books(loop_.index()).closed_by_reason[static_cast<size_t>(reason)].add();
  context_.full_gate.write(context_.log, LogLevel::kWarning, loop_.now(), [&]() -> std::string {
    if (!all_taken) return "a client is refused: there is no memory for its connection";
    return "a client is refused: handlers that outlive their connections hold all places of "
           "connections_max";
  });
  if (context_.options.connections_per_address_max > 0 && !listening.demands_proxy)
    context_.addresses.leave(ClientAddress::of(peer));
  context_.places.leave();
}

}}  // namespace trireme
