// The transport layers of one connection, outermost first: bytes from layer to layer, in both
// directions. Rules only; what they cost the socket is done by Layers and Sender.
//
// Steps 2 and 6. Thread: the holder of the loop. Bounded: what layers keep is charged to the
// budget; a layer bounds its own handshake.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "reply/mail.h"
#include "runtime/memory/buffers.h"
#include "runtime/system/clock.h"
#include "trireme/transport_layer.h"

namespace trireme { inline namespace v0 {

class LayerChain {
 public:
  // What is made on the way, of a loop: chains keep no memory for it.
  struct Scratch {
    std::string plain{}, to_peer{};
  };
  // What has come through all of them: views of the scratch, or of what was given.
  struct Received {
    bool failed = false;
    std::string_view plain{};
    bool is_raw = false;  // `plain` is a part of what was given: no layer is left
    bool peer_ended = false;
    std::string_view to_peer{};  // must leave, also when they have failed
  };

  // Throws where the system has no memory.
  LayerChain(const std::vector<std::shared_ptr<const LayerFactory>>& factories,
             std::string_view peer, TimePoint deadline, Buffers& budget);
  ~LayerChain() { budget_.discharge(charged_); }
  LayerChain(const LayerChain&) = delete;
  LayerChain& operator=(const LayerChain&) = delete;

  // Bytes of the socket, or with `ended` its end. What a layer throws goes through.
  Received receive(std::string_view raw, bool ended, Scratch& scratch);
  // What is to be sent for `plain`, behind what `raw` holds. False: a layer has failed.
  [[nodiscard]] bool send(std::string_view plain, std::string& raw);
  // Likewise for the last words of the layers. Once.
  [[nodiscard]] bool finish_sending(std::string& raw);

  // Every layer is open, or was taken off.
  bool is_open() const;
  bool is_empty() const { return layers_.empty(); }
  bool has_received() const { return has_received_; }
  bool has_finished() const { return has_finished_; }
  // kNever: there is none.
  TimePoint deadline() const { return deadline_; }
  // Of the layer that has failed.
  std::string failure() const { return failure_; }

  // What was told until now.
  LayerFacts take_facts() { return std::exchange(facts_, {}); }
  const ToldAddress& address() const { return address_; }
  // Charges what the layers keep. False: the budget refuses.
  [[nodiscard]] bool charge();

  // A push of the policy `latest` that waits until the queue is empty: what has become bytes of a
  // layer cannot be dropped.
  bool has_latest() const { return latest_.has_value(); }
  void keep_latest(ChargedBytes bytes) { latest_ = std::move(bytes); }
  std::optional<ChargedBytes> take_latest() { return std::exchange(latest_, {}); }

 private:
  struct Layer {
    std::unique_ptr<TransportLayer> object;
    std::string_view name;
    LayerState state = LayerState::kShaking;
  };

  bool send_from(size_t index, std::string_view bytes, std::string& raw);
  bool fail(const Layer& layer);

  std::vector<Layer> layers_;
  LayerFacts facts_;
  ToldAddress address_;
  TimePoint deadline_;
  std::string failure_;
  Buffers& budget_;
  size_t charged_ = 0;
  std::optional<ChargedBytes> latest_;
  bool has_received_ = false;
  bool has_finished_ = false;
};

}}  // namespace trireme
