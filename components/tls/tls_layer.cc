#include "tls/tls_layer.h"

#include <algorithm>
#include <array>
#include <utility>

#include "tls/errors.h"
#include "tls/facts.h"

namespace trireme { inline namespace v0 { namespace tls {
namespace {

// 128 KiB of a hello, each byte in a record of its own, is no hello.
constexpr size_t kHelloBytesMax = 256 << 10;
constexpr size_t kReadBytesMax = 16 << 10;  // a record has no more
constexpr size_t kReadBytesMin = 512;
// What the budget is charged for the state of OpenSSL of a connection, as tests/tls/memory_test.cc
// measures it: in the midst of a handshake, after it, and after one in which the client has shown a
// certificate.
constexpr size_t kShakingBytes = 44 << 10;
constexpr size_t kOpenBytes = 15 << 10;
constexpr size_t kKnownBytes = 20 << 10;

// Alerts of a call are told in its output, which goes with it.
class Noting {
 public:
  Noting(std::string*& place, std::string& note) : place_(place) { place_ = &note; }
  ~Noting() { place_ = nullptr; }
  Noting(const Noting&) = delete;
  Noting& operator=(const Noting&) = delete;

 private:
  std::string*& place_;
};

bool speaks_http(std::string_view bytes) {
  constexpr std::array<std::string_view, 7> kMethods = {"GET ",     "POST ", "PUT ",   "HEAD ",
                                                        "OPTIONS ", "PRI ",  "DELETE "};
  return std::any_of(kMethods.begin(), kMethods.end(),
                     [&](std::string_view method) { return bytes.starts_with(method); });
}

}  // namespace

std::string alert_name(int code) {
  const char* const name = SSL_alert_desc_string_long(code);
  const std::string_view known = name != nullptr ? name : "unknown";
  return known == "unknown" ? "alert " + std::to_string(code) : std::string(known);
}

LayerState TlsLayer::receive(std::string_view& bytes, bool ended, LayerOutput& out) {
  const Noting noting(note_, out.note);
  if (is_open_) {
    const LayerState state = read_all(bytes, out);  // its last words may come with the end
    if (state != LayerState::kOpen || !ended || peer_ended_) return state;
    shared_.cut.add();
    out.is_cut = true;
    mistake_ = "the stream has ended without close_notify";
    return LayerState::kFailed;
  }
  kept_ += std::exchange(bytes, {});
  switch (gate_.look(kept_)) {
    case HelloGate::Look::kReady:
      return LayerState::kWantsJob;
    case HelloGate::Look::kNotTls:
      return refuse_stranger(out);
    case HelloGate::Look::kMore:
      break;
  }
  if (kept_.size() <= kHelloBytesMax) return LayerState::kShaking;
  shared_.failed.add();
  mistake_ = "its hello is too long";
  return LayerState::kFailed;
}

LayerState TlsLayer::refuse_stranger(LayerOutput& out) {
  shared_.failed.add();
  shared_.not_tls.add();
  out.is_bare = speaks_http(kept_);
  mistake_ = out.is_bare ? "it speaks HTTP, and no TLS" : "it does not speak TLS";
  return LayerState::kFailed;
}

// False: there is no memory.
bool TlsLayer::begin() {
  contexts_ = shared_.contexts();
  ssl_.reset(SSL_new(contexts_->first()));
  BIO* const bio = ssl_ == nullptr ? nullptr : make_buffer_bio(buffers_);
  if (bio == nullptr) return false;
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_accept_state(ssl_.get());
  return true;
}

LayerState TlsLayer::compute(LayerOutput& out) {
  const Noting noting(note_, out.note);
  forget_errors();
  if (ssl_ == nullptr && !begin()) throw std::bad_alloc();
  buffers_.out = &out.to_peer;
  int error = SSL_ERROR_NONE;
  do {  // what came behind a flight may be whole, too
    buffers_.in = std::string_view(kept_).substr(0, gate_.whole_bytes());
    const int result = SSL_do_handshake(ssl_.get());
    error = result == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl_.get(), result);
    if (error != SSL_ERROR_WANT_READ) break;
    kept_.erase(0, gate_.whole_bytes());
    gate_.note_taken();
  } while (gate_.look(kept_) == HelloGate::Look::kReady);
  if (error == SSL_ERROR_WANT_READ) {
    kept_.shrink_to_fit();
    return LayerState::kShaking;
  }
  if (error != SSL_ERROR_NONE) return fail_handshake(error);
  is_open_ = true;
  contexts_.reset();
  shared_.handshakes.add();
  if (SSL_session_reused(ssl_.get()) == 1) shared_.resumed.add();
  add_facts(*ssl_, out.facts);
  const size_t taken = gate_.whole_bytes() - buffers_.in.size();
  std::string rest = std::exchange(kept_, {});
  std::string_view behind = std::string_view(rest).substr(taken);
  return read_all(behind, out);
}

LayerState TlsLayer::fail_handshake(int error) {
  shared_.failed.add();
  const std::string reason = last_reason();
  mistake_ = "its handshake has failed" + (reason.empty() ? "" : ": " + reason);
  if (reason.empty() && error == SSL_ERROR_SYSCALL) mistake_ += ": out of memory";
  if (!note_->empty()) mistake_ += ", " + *note_;
  forget_errors();
  return LayerState::kFailed;
}

// In kOpen. Also without bytes: some may wait in OpenSSL.
LayerState TlsLayer::read_all(std::string_view& bytes, LayerOutput& out) {
  buffers_.in = std::exchange(bytes, {});
  buffers_.out = &out.to_peer;
  forget_errors();
  while (!peer_ended_) {
    const size_t had = out.plain.size();
    const size_t room = std::clamp(buffers_.in.size(), kReadBytesMin, kReadBytesMax);
    out.plain.resize(had + room);
    size_t read = 0;
    const int result = SSL_read_ex(ssl_.get(), out.plain.data() + had, room, &read);
    out.plain.resize(had + read);
    if (result == 1) {
      if (buffers_.in.empty() && SSL_has_pending(ssl_.get()) == 0) break;
      continue;
    }
    const int error = SSL_get_error(ssl_.get(), result);
    if (error == SSL_ERROR_WANT_READ) break;
    if (error != SSL_ERROR_ZERO_RETURN) {
      const std::string reason = last_reason();
      mistake_ = reason.empty() ? "it has broken its stream" : reason;
      forget_errors();
      return LayerState::kFailed;
    }
    peer_ended_ = true;
  }
  out.peer_ended = peer_ended_;
  return LayerState::kOpen;
}

bool TlsLayer::send(std::string_view plain, std::string& to_peer) {
  buffers_.in = {};
  buffers_.out = &to_peer;
  while (!plain.empty()) {
    size_t written = 0;
    forget_errors();
    if (SSL_write_ex(ssl_.get(), plain.data(), plain.size(), &written) != 1) {
      const std::string reason = last_reason();
      mistake_ = "it cannot be written to" + (reason.empty() ? "" : ": " + reason);
      forget_errors();
      return false;
    }
    plain.remove_prefix(written);
  }
  return true;
}

void TlsLayer::finish_sending(std::string& to_peer) {
  buffers_.in = {};
  buffers_.out = &to_peer;
  forget_errors();
  SSL_shutdown(ssl_.get());  // close_notify; the peer's may come later, or never
  forget_errors();
}

// A fixed sum for what OpenSSL keeps: it does not tell.
size_t TlsLayer::bytes_held() const {
  const size_t of_kept = kept_.empty() ? 0 : kept_.capacity();
  if (ssl_ == nullptr) return of_kept;
  if (!is_open_) return kShakingBytes + of_kept;
  return (SSL_get0_peer_certificate(ssl_.get()) == nullptr ? kOpenBytes : kKnownBytes) + of_kept;
}

void TlsLayer::note_alert(bool is_sent, int code) {
  if (code == SSL3_AD_CLOSE_NOTIFY) return;
  Tls::Shared::AlertCounts& counts = shared_.alerts[static_cast<size_t>(code) & 0xff];
  (is_sent ? counts.sent : counts.received).add();
  if (note_ == nullptr) return;
  if (!note_->empty()) *note_ += ", ";
  *note_ += (is_sent ? "it is sent the alert " : "it sends the alert ") + alert_name(code);
}

}}}  // namespace trireme::tls
