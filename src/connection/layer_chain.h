// The transport layers of one connection, outermost first: bytes from layer to layer, in both
// directions. Rules only; what they cost the socket is done by Layers and Sender.
//
// Steps 2 and 6. Thread: the holder of the loop. Bounded: what layers keep, and what waits here, is
// charged to the budget; a layer bounds its own handshake.
//
// One of them may be lent to a job (LayerJob). Until that is home nothing goes through: what is
// received waits in front of the first layer.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "connection/write_queue.h"
#include "handling/layer_job.h"
#include "runtime/memory/buffers.h"
#include "runtime/system/clock.h"
#include "trireme/transport_layer.h"

namespace trireme { inline namespace v0 {

class LayerChain {
 public:
  // What is made on the way, of a loop: chains keep no memory for it.
  struct Scratch {
    std::array<LayerOutput, 2> outputs{};  // of a layer, and of the one above it
    std::string to_peer{};
    std::string note{};    // the last one
    std::string waited{};  // take_waiting
  };
  // What has come through all of them: views of the scratch, or of what was given.
  struct Received {
    bool failed = false;
    bool is_cut = false;   // with `failed`: by the end of the stream
    bool is_bare = false;  // likewise: its first layer, by what speaks without it
    std::string_view plain{};
    bool is_raw = false;  // `plain` is a part of what was given: no layer is left
    bool peer_ended = false;
    std::string_view to_peer{};  // must leave, also when they have failed
  };

  // Throws where the system has no memory.
  LayerChain(const std::vector<std::shared_ptr<const LayerFactory>>& factories,
             std::string_view peer, TimePoint deadline, Buffers& budget);
  // None yet: add() follows.
  explicit LayerChain(Buffers& budget) : deadline_(kNever), budget_(budget) {}
  ~LayerChain() { budget_.discharge(charged_); }
  LayerChain(const LayerChain&) = delete;
  LayerChain& operator=(const LayerChain&) = delete;

  // Bytes of the socket, or with `ended` its end. What a layer throws goes through.
  Received receive(std::string_view raw, bool ended, Scratch& scratch);

  // In the midst of the connection: one more, above the others, which keeps its factory. `early`:
  // its first input, which has come through the others already; `ended`: so has the end of the
  // stream.
  void add(std::shared_ptr<const LayerFactory> factory, std::string_view peer, TimePoint deadline,
           std::string_view early, bool ended);
  bool has_early() const { return !early_.empty(); }
  Received receive_early(Scratch& scratch);

  // A layer has asked for a job, and is not lent to one.
  bool wants_job() const { return job_ == nullptr && wanting() < layers_.size(); }
  // Lends it. `job` is home when it was given to put_back or to take_back.
  void lend(LayerJob& job, TimePoint now);
  bool is_at_work() const { return job_ != nullptr; }
  LayerJob* job() const { return job_; }
  // The job is home, or was never run: the layer is here again. Nothing of what it has made counts.
  void put_back(LayerJob& job, TimePoint now);
  // The same, and what it has made goes its way, as if receive() had made it.
  Received take_back(LayerJob& job, TimePoint now, Scratch& scratch);
  // Bytes, or the end of the stream, have come while it was lent.
  bool has_waiting() const { return !waiting_.empty() || waiting_ended_; }
  size_t waiting_bytes() const { return waiting_.size(); }
  // Takes them, to be received now; none stand for the end.
  std::string_view take_waiting(Scratch& scratch);

  // What is to be sent for `plain`, behind what `raw` holds. False: a layer has failed.
  [[nodiscard]] bool send(std::string_view plain, std::string& raw);
  // Likewise for the last words of the layers. Once.
  [[nodiscard]] bool finish_sending(std::string& raw);

  // Every layer is open, or was taken off.
  bool is_open() const;
  bool is_empty() const { return layers_.empty(); }
  bool has_received() const { return has_received_; }
  bool has_finished() const { return has_finished_; }
  // kNever: there is none, or the client waits for us.
  TimePoint deadline() const { return is_at_work() ? kNever : deadline_; }
  // Of the layer that has failed.
  std::string failure() const { return failure_; }

  // What was told until now.
  LayerFacts take_facts() { return std::exchange(facts_, {}); }
  const ToldAddress& address() const { return address_; }
  // Charges what the layers keep. False: the budget refuses.
  [[nodiscard]] bool charge();

  // What waits in front of the layers until the socket has taken all that they have made: so it
  // stays shared, and pushes of the policy `latest` can be dropped.
  WriteQueue& plain() { return plain_; }

 private:
  struct Layer {
    std::unique_ptr<TransportLayer> object;  // null: it is lent
    std::string_view name;
    LayerState state = LayerState::kShaking;
    size_t held = 0;  // bytes that it keeps, when we looked last
  };

  size_t wanting() const;
  Received pass(size_t index, std::string_view bytes, bool ended, Scratch& scratch);
  void note_told(LayerOutput& out);
  bool use(size_t index, LayerOutput& out, Scratch& scratch);
  bool send_from(size_t index, std::string_view bytes, std::string& raw);
  bool fail(const Layer& layer);

  std::vector<std::shared_ptr<const LayerFactory>> kept_;  // of layers that were added
  std::vector<Layer> layers_;
  LayerFacts facts_;
  ToldAddress address_;
  TimePoint deadline_;
  std::string failure_;
  Buffers& budget_;
  size_t charged_ = 0;
  std::string early_;
  LayerJob* job_ = nullptr;  // that a layer is lent to
  TimePoint lent_at_;
  std::string waiting_;
  bool waiting_ended_ = false;
  bool has_computed_ = false;
  WriteQueue plain_;
  bool has_received_ = false;
  bool has_finished_ = false;
};

}}  // namespace trireme
