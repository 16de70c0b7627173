// TLS of one connection: handshake, records, close_notify.
//
// Steps 2 and 6. Thread: whoever has the layer: the holder of the loop, or in a job a layer worker.
//
//   HelloGate: whole hello? --> job: the handshake, as far as it comes --> ... --> open: in the
//   loop
//
// Until the first hello is whole there is no object of OpenSSL, so a client that says nothing, or
// half of it, costs what it has sent. Bounded: kHelloBytesMax of a handshake are kept; OpenSSL
// keeps a record, and gives its buffers back when they are empty.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "tls/buffer_bio.h"
#include "tls/hello_gate.h"
#include "tls/openssl_types.h"
#include "tls/shared.h"

namespace trireme { inline namespace v0 { namespace tls {

class TlsLayer final : public TransportLayer, private SslOwner {
 public:
  explicit TlsLayer(Tls::Shared& shared) : shared_(shared) {}

  LayerState receive(std::string_view& bytes, bool ended, LayerOutput& out) override;
  LayerState compute(LayerOutput& out) override;
  bool send(std::string_view plain, std::string& to_peer) override;
  void finish_sending(std::string& to_peer) override;
  size_t bytes_held() const override;
  std::string failure() const override { return mistake_; }

 private:
  bool begin();
  LayerState fail_handshake(int error);
  LayerState refuse_stranger(LayerOutput& out);
  LayerState read_all(std::string_view& bytes, LayerOutput& out);
  void note_alert(bool is_sent, int code) override;
  TicketKeys& ticket_keys() override { return shared_.tickets; }

  Tls::Shared& shared_;
  std::shared_ptr<const Contexts> contexts_;  // while it is shaking
  SslPointer ssl_;                            // null: the first hello is not whole
  BioBuffers buffers_{*this};
  HelloGate gate_;
  std::string kept_;             // what has come of a handshake and was not computed with
  std::string mistake_;          // in kFailed
  std::string* note_ = nullptr;  // of the call that is under way
  bool is_open_ = false;
  bool peer_ended_ = false;
};

// Such as "certificate expired".
std::string alert_name(int code);

}}}  // namespace trireme::tls
