#include "connection/layer_chain.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "runtime/check.h"

namespace trireme { inline namespace v0 {
namespace {

constexpr size_t kScratchKept = 64 << 10;  // of a loop, between two calls

std::unique_ptr<TransportLayer> make_layer(const LayerFactory& factory, std::string_view peer) {
  std::unique_ptr<TransportLayer> layer = factory.make(peer);
  if (layer == nullptr)
    throw std::logic_error("make() of the layer '" + std::string(factory.name()) +
                           "' has returned none");
  return layer;
}

void clear(LayerOutput& out) {
  if (out.plain.capacity() > kScratchKept) out.plain = std::string();
  out.plain.clear();
  out.to_peer.clear();
  out.peer_ended = false;
  out.is_cut = false;
  out.is_bare = false;
  out.note.clear();
  if (!out.facts.all().empty()) out.facts = {};
  out.address = {};
}

}  // namespace

LayerChain::LayerChain(const std::vector<std::shared_ptr<const LayerFactory>>& factories,
                       std::string_view peer, TimePoint deadline, Buffers& budget)
    : deadline_(deadline), budget_(budget) {
  layers_.reserve(factories.size());
  for (const auto& factory : factories) {
    layers_.push_back({.object = make_layer(*factory, peer), .name = factory->name()});
  }
}

LayerChain::Received LayerChain::receive(std::string_view raw, bool ended, Scratch& scratch) {
  has_received_ = has_received_ || !raw.empty();
  scratch.to_peer.clear();
  if (!is_at_work() && !has_early()) return pass(0, raw, ended, scratch);
  waiting_ += raw;
  waiting_ended_ = waiting_ended_ || ended;
  return {};
}

void LayerChain::add(std::shared_ptr<const LayerFactory> factory, std::string_view peer,
                     TimePoint deadline, std::string_view early, bool ended) {
  kept_.reserve(kept_.size() + 1);
  layers_.push_back({.object = make_layer(*factory, peer), .name = factory->name()});
  kept_.push_back(std::move(factory));
  early_ = early;
  waiting_ended_ = ended;
  deadline_ = deadline;
}

LayerChain::Received LayerChain::receive_early(Scratch& scratch) {
  scratch.to_peer.clear();
  scratch.waited = std::exchange(early_, {});
  return pass(layers_.size() - 1, scratch.waited, false, scratch);
}

// From below, to the layer `index` and those above it.
LayerChain::Received LayerChain::pass(size_t index, std::string_view bytes, bool ended,
                                      Scratch& scratch) {
  while (index < layers_.size() && (!bytes.empty() || ended)) {
    Layer& layer = layers_[index];
    LayerOutput& out = scratch.outputs[index % 2];
    clear(out);
    const bool was_shaking = layer.state == LayerState::kShaking;
    layer.state = layer.object->receive(bytes, ended, out);
    if (was_shaking) note_told(out);
    if (!use(index, out, scratch)) {
      return {.failed = true,
              .is_cut = out.is_cut,
              .is_bare = out.is_bare && index == 0,
              .to_peer = scratch.to_peer};
    }
    if (layer.state == LayerState::kTransparent) {
      CHECK(out.plain.empty(), "a transparent layer leaves its input where it is");
      layers_.erase(layers_.begin() + static_cast<ptrdiff_t>(index));
      continue;
    }
    CHECK(bytes.empty(), "a layer takes all bytes that it is given");
    if (layer.state == LayerState::kWantsJob) {
      CHECK(was_shaking, "a layer asks for a job while it is shaking only");
      waiting_ended_ = waiting_ended_ || ended;  // it is told again afterwards
      return {.to_peer = scratch.to_peer};
    }
    ended = out.peer_ended;
    bytes = out.plain;
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

void LayerChain::note_told(LayerOutput& out) {
  for (const LayerFact& fact : out.facts.all()) facts_.add(fact.name, fact.value);
  if (out.address.host_bytes > 0) address_ = out.address;
}

// What a layer has made for its peer goes down. False: one has failed.
bool LayerChain::use(size_t index, LayerOutput& out, Scratch& scratch) {
  if (!out.note.empty()) scratch.note.swap(out.note);
  const bool sent = send_from(index, out.to_peer, scratch.to_peer);
  if (sent && layers_[index].state != LayerState::kFailed) return true;
  if (failure_.empty()) fail(layers_[index]);
  return false;
}

size_t LayerChain::wanting() const {
  const auto found = std::find_if(layers_.begin(), layers_.end(), [](const Layer& layer) {
    return layer.state == LayerState::kWantsJob;
  });
  return static_cast<size_t>(found - layers_.begin());
}

void LayerChain::lend(LayerJob& job, TimePoint now) {
  job.layer = std::move(layers_[wanting()].object);
  job.is_first = !has_computed_;
  job_ = &job;
  lent_at_ = now;
}

void LayerChain::put_back(LayerJob& job, TimePoint now) {
  CHECK(&job == job_, "a layer comes home with another job");
  layers_[wanting()].object = std::move(job.layer);
  job_ = nullptr;
  if (deadline_ != kNever) deadline_ = time_after(deadline_, now - lent_at_);
}

LayerChain::Received LayerChain::take_back(LayerJob& job, TimePoint now, Scratch& scratch) {
  const size_t index = wanting();
  put_back(job, now);
  has_computed_ = true;
  scratch.to_peer.clear();
  if (job.thrown != nullptr) std::rethrow_exception(job.thrown);
  Layer& layer = layers_[index];
  layer.state = job.result;
  CHECK(layer.state == LayerState::kShaking || layer.state == LayerState::kOpen ||
            layer.state == LayerState::kFailed,
        "what a layer computes leaves it shaking, open or failed");
  note_told(job.out);
  if (!use(index, job.out, scratch)) return {.failed = true, .to_peer = scratch.to_peer};
  // As in receive(): what is above sees bytes of the scratch.
  std::swap(scratch.outputs[index % 2].plain, job.out.plain);
  return pass(index + 1, scratch.outputs[index % 2].plain, job.out.peer_ended, scratch);
}

std::string_view LayerChain::take_waiting(Scratch& scratch) {
  scratch.waited.clear();
  if (waiting_.empty()) waiting_ended_ = false;
  scratch.waited.swap(waiting_);
  waiting_.shrink_to_fit();
  return scratch.waited;
}

bool LayerChain::fail(const Layer& layer) {
  failure_ = std::string(layer.name) + ": " + layer.object->failure();
  return false;
}

// What the layer `index` has made goes through those below it.
bool LayerChain::send_from(size_t index, std::string_view bytes, std::string& raw) {
  if (bytes.empty()) return true;
  if (index == 0) {
    raw += bytes;
    return true;
  }
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
  size_t held = waiting_.size() + early_.size();
  for (Layer& layer : layers_) {
    if (layer.object != nullptr) layer.held = layer.object->bytes_held();
    held += layer.held;
  }
  if (held == charged_) return true;
  if (held > charged_ && !budget_.charge(held - charged_)) return false;
  if (held < charged_) budget_.discharge(charged_ - held);
  charged_ = held;
  return true;
}

}}  // namespace trireme
