// A step of a transport layer that computes for long, such as a part of a TLS handshake, on its way
// to another thread and back.
//
// Step 2. Threads: the holder of the loop makes it and takes it back; in between it owns the layer,
// and the thread that runs it touches nothing else of the server.
#pragma once

#include <exception>
#include <memory>

#include "handling/job.h"
#include "handling/side_job.h"
#include "roster/mail_kinds.h"
#include "trireme/transport_layer.h"

namespace trireme { inline namespace v0 {

struct LayerJob final : SideJob {
  explicit LayerJob(ConnectionId whose) : SideJob(kMailLayerJob, whose) {}

  // Whoever has it. What the layer throws is kept for the holder.
  void run(Kernel&) noexcept override {
    try {
      result = layer->compute(out);
    } catch (...) {
      thrown = std::current_exception();
    }
  }

  std::unique_ptr<TransportLayer> layer;
  LayerOutput out;
  LayerState result = LayerState::kFailed;
  std::exception_ptr thrown;
  RequestOwner* owner = nullptr;  // whose slot waits for it; for the holder alone
  bool is_first = false;          // of its connection: nothing was computed for it yet
};

}}  // namespace trireme
