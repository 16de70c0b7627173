#include "connection/layer_chain.h"

#include <algorithm>
#include <utility>

#include "runtime/check.h"

namespace trireme { inline namespace v0 {

LayerChain::LayerChain(const std::vector<std::shared_ptr<const LayerFactory>>& factories,
                       std::string_view peer, TimePoint deadline, Buffers& budget)
    : deadline_(deadline), budget_(budget) {
  layers_.reserve(factories.size());
  for (const auto& factory : factories) {
    layers_.push_back({.object = factory->make(peer), .name = factory->name()});
  }
}

LayerChain::Received LayerChain::receive(std::string_view raw, bool ended, Scratch& scratch) {
  has_received_ = has_received_ || !raw.empty();
  scratch.plain.clear();
  scratch.to_peer.clear();
  std::string_view bytes = raw;
  size_t index = 0;
  while (index < layers_.size() && (!bytes.empty() || ended)) {
    Layer& layer = layers_[index];
    LayerOutput out;
    const bool was_shaking = layer.state == LayerState::kShaking;
    layer.state = layer.object->receive(bytes, ended, out);
    if (was_shaking) {
      for (const LayerFact& fact : out.facts.all()) facts_.add(fact.name, fact.value);
      if (out.address.host_bytes > 0) address_ = out.address;
    }
    if (!send_from(index, out.to_peer, scratch.to_peer) || layer.state == LayerState::kFailed) {
      if (failure_.empty()) fail(layer);
      return {.failed = true, .to_peer = scratch.to_peer};
    }
    if (layer.state == LayerState::kTransparent) {
      CHECK(out.plain.empty(), "a transparent layer leaves its input where it is");
      layers_.erase(layers_.begin() + static_cast<ptrdiff_t>(index));
      continue;
    }
    CHECK(bytes.empty(), "a layer takes all bytes that it is given");
    ended = out.peer_ended;
    scratch.plain = std::move(out.plain);
    bytes = scratch.plain;
    ++index;
  }
  // Behind a layer that wants more there is nothing.
  const bool through = index == layers_.size();
  return {.failed = false,
          .plain = through ? bytes : std::string_view(),
          .is_raw = layers_.empty(),
          .peer_ended = through && ended,
          .to_peer = scratch.to_peer};
}

bool LayerChain::fail(const Layer& layer) {
  failure_ = std::string(layer.name) + ": " + layer.object->failure();
  return false;
}

// What the layer `index` has made goes through those below it.
bool LayerChain::send_from(size_t index, std::string_view bytes, std::string& raw) {
  if (bytes.empty()) return true;
  std::string from(bytes), into;
  for (size_t below = index; below > 0; --below) {
    into.clear();
    if (!layers_[below - 1].object->send(from, into)) return fail(layers_[below - 1]);
    from.swap(into);
  }
  raw += from;
  return true;
}

bool LayerChain::send(std::string_view plain, std::string& raw) {
  CHECK(!layers_.empty(), "a chain without layers was kept");
  Layer& top = layers_.back();
  if (layers_.size() == 1) return top.object->send(plain, raw) || fail(top);
  std::string made;
  if (!top.object->send(plain, made)) return fail(top);
  return send_from(layers_.size() - 1, made, raw);
}

bool LayerChain::finish_sending(std::string& raw) {
  has_finished_ = true;
  for (size_t index = layers_.size(); index > 0; --index) {
    std::string words;
    layers_[index - 1].object->finish_sending(words);
    if (!send_from(index - 1, words, raw)) return false;
  }
  return true;
}

bool LayerChain::is_open() const {
  return std::all_of(layers_.begin(), layers_.end(),
                     [](const Layer& layer) { return layer.state == LayerState::kOpen; });
}

bool LayerChain::charge() {
  size_t held = 0;
  for (const Layer& layer : layers_) held += layer.object->bytes_held();
  if (held == charged_) return true;
  if (held > charged_ && !budget_.charge(held - charged_)) return false;
  if (held < charged_) budget_.discharge(charged_ - held);
  charged_ = held;
  return true;
}

}}  // namespace trireme
