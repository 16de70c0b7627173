#include "connection/layers.h"

#include <netinet/in.h>

#include <cstring>
#include <new>
#include <string>
#include <utility>

#include "connection/clocks.h"
#include "connection/ending.h"
#include "connection/sender.h"
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
    context.layer_gate.write(context.log, LogLevel::kError, parts_.loop.now(), [&] {
      return "a layer of '" + std::string(listening.name) +
             "' cannot be made: " + describe_thrown();
    });
    return CloseReason::kLayerFailed;
  }
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
  if (!received.to_peer.empty() && !connection.life.has_output_ended()) {
    parts_.sender.send_raw(connection, {received.to_peer}, nullptr);
    if (!connection.is_live()) return false;
  }
  if (!judge(connection, received, raw.empty())) return false;
  if (!was_open && chain.is_open() && !open(connection)) return false;
  into = {received.plain, received.is_raw, received.peer_ended};
  if (chain.is_empty()) {
    connection.rare->layers.reset();
    if (connection.rare->is_empty()) connection.rare.reset();
  }
  return true;
}

// False: it ends here.
bool Layers::judge(Connection& connection, const LayerChain::Received& received, bool ended) {
  const LayerChain& chain = *connection.rare->layers;
  if (received.failed) {
    // One that has only looked whether somebody listens.
    const bool looked = ended && !chain.has_received();
    if (looked) {
      parts_.ending.close(connection, CloseReason::kPeerClosed);
    } else {
      parts_.ending.fail_layers(connection, chain.failure(), !received.to_peer.empty());
    }
    return false;
  }
  if (!connection.rare->layers->charge()) {
    parts_.ending.close(connection, CloseReason::kOutOfMemory);
    return false;
  }
  if (chain.is_open()) return true;
  if (ended) parts_.ending.fail_layers(connection, "its client ended in the handshake", false);
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
  LayerFacts facts = chain.take_facts();
  if (!facts.all().empty() && !context.layer_facts.put(connection.id, std::move(facts))) {
    parts_.ending.close(connection, CloseReason::kOutOfMemory);
    return false;
  }
  SlotRecord& record = context.roster.record(parts_.loop.index(), connection.id.slot());
  record.generation.store(connection.id.generation(), std::memory_order_relaxed);
  return true;
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
