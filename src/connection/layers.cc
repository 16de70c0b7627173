#include "connection/layers.h"

#include <netinet/in.h>

#include <cstring>
#include <new>
#include <string>
#include <utility>

#include "connection/clocks.h"
#include "connection/ending.h"
#include "connection/pushes.h"
#include "connection/sender.h"
#include "connection/turn.h"
#include "runtime/memory/scarce.h"
#include "runtime/thrown.h"

namespace trireme { inline namespace v0 {
namespace {

SocketAddress socket_address(const ToldAddress& told) {
  SocketAddress address;
  if (told.host_bytes == 4) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(told.port);
    std::memcpy(&in.sin_addr, told.host.data(), sizeof(in.sin_addr));
    std::memcpy(&address.storage, &in, sizeof(in));
    address.size = sizeof(in);
  } else {
    sockaddr_in6 in{};
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(told.port);
    std::memcpy(&in.sin6_addr, told.host.data(), sizeof(in.sin6_addr));
    std::memcpy(&address.storage, &in, sizeof(in));
    address.size = sizeof(in);
  }
  return address;
}

}  // namespace

std::optional<CloseReason> Layers::begin(Connection& connection) {
  parts_.loop.assume_held();
  const Listening& listening = *connection.listening;
  const Duration time_max = listening.options.limits.handshake_time_max;
  const TimePoint deadline =
      time_max > Duration(0) ? time_after(parts_.loop.now(), time_max) : kNever;
  ServerContext& context = parts_.context;
  try {
    connection.make_rare().layers = std::make_unique<LayerChain>(
        listening.layers, context.roster.describe(connection.id), deadline, context.buffers);
    return {};
  } catch (const std::bad_alloc&) {
    return CloseReason::kOutOfMemory;
  } catch (...) {
    note_not_made(listening);
    return CloseReason::kLayerFailed;
  }
}

// In a catch block.
void Layers::note_not_made(const Listening& listening) {
  parts_.loop.assume_held();
  ServerContext& context = parts_.context;
  context.layer_gate.write(context.log, LogLevel::kError, parts_.loop.now(), [&] {
    return "a layer of '" + std::string(listening.name) + "' cannot be made: " + describe_thrown();
  });
}

void Layers::start(Connection& connection, const std::shared_ptr<const LayerFactory>& factory) {
  parts_.loop.assume_held();
  if (!connection.is_live() || !connection.life.is_open()) return;
  const Duration time_max = connection.listening->options.limits.handshake_time_max;
  const TimePoint deadline =
      time_max > Duration(0) ? time_after(parts_.loop.now(), time_max) : kNever;
  try {
    Connection::Rare& rare = connection.make_rare();
    rare.started_layer = true;
    rare.stream_ended = connection.life.peer_ended();
    if (rare.layers == nullptr) rare.layers = std::make_unique<LayerChain>(parts_.context.buffers);
    rare.layers->add(factory, parts_.context.roster.describe(connection.id), deadline,
                     parts_.turn.pending(connection), connection.life.peer_ended());
  } catch (const std::bad_alloc&) {
    return parts_.ending.close(connection, CloseReason::kOutOfMemory);
  } catch (...) {
    note_not_made(*connection.listening);
    return parts_.ending.close(connection, CloseReason::kLayerFailed);
  }
  parts_.turn.drop_received(connection);
  connection.input.clear();
  connection.life.forget_peer_ended();
  connection.reading.awaits_more = false;
  // No part of a frame goes on behind it.
  connection.decoder.use(connection.decoder.codec());
  if (connection.codec_state() != nullptr) connection.codec_state()->begin_anew();
}

bool Layers::receive(Connection& connection, std::string_view raw, Plain& into) {
  LayerChain& chain = *connection.rare->layers;
  const bool was_open = chain.is_open();
  LayerChain::Received received;
  const bool called = parts_.ending.guard_layers(connection, [&] {
    received = chain.receive(raw, raw.empty(), scratch_);
    return true;
  });
  if (!called) return false;
  return use(connection, received, was_open, raw.empty(), into);
}

// What the chain has made of something. False: there is nothing for the codec.
bool Layers::use(Connection& connection, const LayerChain::Received& received, bool was_open,
                 bool ended, Plain& into) {
  LayerChain& chain = *connection.rare->layers;
  if (!scratch_.note.empty()) log_note(connection);
  if (!received.to_peer.empty() && !connection.life.has_output_ended()) {
    parts_.sender.send_raw(connection, received.to_peer);
    if (!connection.is_live()) return false;
  }
  if (!judge(connection, received, ended)) return false;
  if (!was_open && chain.is_open() && !open(connection)) return false;
  into = {received.plain, received.is_raw, received.peer_ended};
  if (chain.is_empty()) {
    connection.rare->layers.reset();
    connection.drop_empty_rare();
  }
  return true;
}

void Layers::log_note(const Connection& connection) {
  ServerContext& context = parts_.context;
  if (context.log.takes(LogLevel::kDebug)) {
    context.log.debug(context.roster.describe(connection.id) + " of '" +
                      std::string(connection.listening->name) + "': " + scratch_.note);
  }
  scratch_.note.clear();
}

bool Layers::go_on(Connection& connection, Plain& into) {
  if (!connection.is_live() || !connection.life.is_open() || !connection.has_layers()) return false;
  LayerChain& chain = *connection.rare->layers;
  if (chain.is_at_work()) return false;
  if (chain.wants_job()) return start_job(connection, into);
  if (chain.has_early()) {
    LayerChain::Received received;
    const bool called = parts_.ending.guard_layers(connection, [&] {
      received = chain.receive_early(scratch_);
      return true;
    });
    if (!called || !use(connection, received, false, false, into)) return false;
    into.is_raw = false;  // they are not in the read buffer any more
    return true;
  }
  if (!chain.has_waiting()) return false;
  if (!receive(connection, chain.take_waiting(scratch_), into)) return false;
  into.is_raw = false;
  return true;
}

// True: it was done here, and has led to something.
bool Layers::start_job(Connection& connection, Plain& into) {
  parts_.loop.assume_held();
  std::unique_ptr<LayerJob> job;
  if (!with_memory([&] { job = std::make_unique<LayerJob>(connection.id); })) {
    parts_.ending.close(connection, CloseReason::kOutOfMemory);
    return false;
  }
  job->service = connection.listening->name;
  job->owner = &connection;
  LayerChain& chain = *connection.rare->layers;
  chain.lend(*job, parts_.loop.now());
  if (workers_ == nullptr || connection.listening->dispatch == Dispatch::kInline) {
    parts_.books.layer_steps_inline.add();
    job->run(parts_.context.platform.kernel);
    return take_back(connection, *job, into);
  }
  const size_t waiting_max = job->is_first ? parts_.context.options.layer_steps_max : SIZE_MAX;
  if (workers_->submit(*job, waiting_max)) {
    parts_.books.layer_steps_on_workers.add();
    static_cast<void>(job.release());  // the worker's, then a mail's
    return false;
  }
  chain.put_back(*job, parts_.loop.now());
  refuse(connection, "more clients shake hands than layer_steps_max allows");
  return false;
}

void Layers::refuse(Connection& connection, std::string_view why) {
  parts_.loop.assume_held();
  parts_.books.layer_steps_refused.add();
  ServerContext& context = parts_.context;
  context.full_gate.write(context.log, LogLevel::kWarning, parts_.loop.now(),
                          [&] { return "a client is refused: " + std::string(why); });
  parts_.ending.close(connection, CloseReason::kRefused);
}

bool Layers::take_back(Connection& connection, LayerJob& job, Plain& into) {
  parts_.loop.assume_held();
  if (job.was_refused) {
    put_back(connection, job);
    refuse(connection, "there is no thread for its handshake");
    return false;
  }
  LayerChain& chain = *connection.rare->layers;
  LayerChain::Received received;
  const TimePoint now = parts_.loop.now();
  const bool called = parts_.ending.guard_layers(connection, [&] {
    received = chain.take_back(job, now, scratch_);
    return true;
  });
  return called && use(connection, received, false, false, into);
}

void Layers::put_back(Connection& connection, LayerJob& job) {
  parts_.loop.assume_held();
  connection.rare->layers->put_back(job, parts_.loop.now());
}

void Layers::withdraw(Connection& connection) {
  parts_.pushes.open_deferred(connection);  // they go nowhere
  if (!connection.is_layer_at_work()) return;
  LayerJob* const job = connection.rare->layers->job();
  if (!workers_->withdraw(*job)) return;
  parts_.books.layer_steps_on_workers.subtract(1);
  put_back(connection, *job);
  delete job;
}

bool Layers::is_full(const Connection& connection) {
  return connection.is_layer_at_work() &&
         connection.rare->layers->waiting_bytes() >=
             connection.listening->options.limits.read_ahead_bytes_max;
}

// False: it ends here.
bool Layers::judge(Connection& connection, const LayerChain::Received& received, bool ended) {
  const LayerChain& chain = *connection.rare->layers;
  if (received.failed) {
    // One that has only looked whether somebody listens.
    const bool looked = ended && !chain.has_received();
    if (looked) {
      parts_.ending.close(connection, CloseReason::kPeerClosed);
    } else if (received.is_cut) {
      parts_.ending.close(connection, CloseReason::kCut);
    } else {
      std::string words;
      if (received.is_bare) words = parts_.ending.last_words(connection, CloseReason::kLayerFailed);
      if (!words.empty()) parts_.sender.send_raw(connection, words);
      parts_.ending.fail_layers(connection, chain.failure(),
                                !received.to_peer.empty() || !words.empty());
    }
    return false;
  }
  if (!connection.rare->layers->charge()) {
    parts_.ending.close(connection, CloseReason::kOutOfMemory);
    return false;
  }
  if (chain.is_open()) return true;
  // An end that waits behind earlier bytes, or behind a job, is told again.
  if (ended && !chain.is_at_work() && !chain.wants_job() && !chain.has_early())
    parts_.ending.fail_layers(connection, "its client ended in the handshake", false);
  // A drain waits for nothing but requests.
  if (connection.life.is_stopped()) parts_.ending.close(connection, CloseReason::kDrained);
  return connection.is_live();
}

// Its layers are through: it is a connection like any other now. False: it may not be, and closes.
bool Layers::open(Connection& connection) {
  ServerContext& context = parts_.context;
  LayerChain& chain = *connection.rare->layers;
  parts_.clocks.end_handshake(connection);
  if (chain.address().host_bytes > 0 && !use_address(connection, chain.address())) return false;
  if (!tell(connection, chain.take_facts())) {
    parts_.ending.close(connection, CloseReason::kOutOfMemory);
    return false;
  }
  SlotRecord& record = context.roster.record(parts_.loop.index(), connection.id.slot());
  record.generation.store(connection.id.generation(), std::memory_order_relaxed);
  parts_.pushes.open_deferred(connection);
  return connection.is_live();
}

// False: there is no memory.
bool Layers::tell(const Connection& connection, LayerFacts facts) {
  if (facts.all().empty()) return true;
  LayerFactsTable& table = parts_.context.layer_facts;
  return with_memory([&] {
    LayerFacts all = table.of(connection.id);
    for (const LayerFact& fact : facts.all()) all.add(fact.name, fact.value);
    if (!table.put(connection.id, std::move(all))) throw std::bad_alloc();
  });
}

// The client has this address, for everybody: it counts for its limit.
bool Layers::use_address(Connection& connection, const ToldAddress& told) {
  parts_.loop.assume_held();
  ServerContext& context = parts_.context;
  const SocketAddress address = socket_address(told);
  SlotRecord& record = context.roster.record(parts_.loop.index(), connection.id.slot());
  if (record.counts_address) context.addresses.leave(context.roster.address(connection.id));
  record.counts_address = false;
  const bool published = with_memory([&] {
    context.roster.make_record(parts_.loop.index(), connection.id.slot(), address);
    context.roster.publish_address(connection.id, address);
  });
  if (!published) {
    parts_.ending.close(connection, CloseReason::kOutOfMemory);
    return false;
  }
  const size_t limit = context.options.connections_per_address_max;
  if (limit == 0) return true;
  record.counts_address = context.addresses.enter(ClientAddress::of(address), limit);
  if (record.counts_address) return true;
  context.note_address_full(ClientAddress::of(address), parts_.loop.now());
  parts_.ending.close(connection, CloseReason::kRefused);
  return false;
}

}}  // namespace trireme
