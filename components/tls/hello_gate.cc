#include "tls/hello_gate.h"

namespace trireme { inline namespace v0 { namespace tls {
namespace {

constexpr size_t kRecordHead = 5;
constexpr size_t kRecordMax = (16 << 10) + 256;  // of its payload
constexpr size_t kHelloMax = 128 << 10;          // OpenSSL takes no longer one
constexpr uint8_t kHandshake = 22;
constexpr uint8_t kClientHello = 1;

uint8_t at(std::string_view bytes, size_t index) { return static_cast<uint8_t>(bytes[index]); }

// A hello of SSL 2, which OpenSSL answers with an alert.
bool is_old_hello(std::string_view all) { return (at(all, 0) & 0x80) != 0 && at(all, 2) == 1; }

}  // namespace

HelloGate::Look HelloGate::look(std::string_view all) {
  if (is_first_ && !all.empty()) {
    if (at(all, 0) >= 0x20 && at(all, 0) < 0x80) return Look::kNotTls;
    if (all.size() < 3) return Look::kMore;
    if (is_old_hello(all)) {
      whole_ = all.size();
      return all.size() < kRecordHead ? Look::kMore : Look::kReady;
    }
    if (at(all, 1) != 3 || at(all, 2) > 4) return Look::kNotTls;
  }
  return judge(all);
}

HelloGate::Look HelloGate::judge(std::string_view all) {
  while (all.size() - whole_ >= kRecordHead) {
    const std::string_view record = all.substr(whole_);
    const size_t bytes = size_t{at(record, 3)} << 8 | at(record, 4);
    const bool is_odd = is_first_ && (at(record, 0) != kHandshake || bytes == 0);
    if (bytes > kRecordMax || is_odd) {
      whole_ = all.size();
      return Look::kReady;
    }
    if (record.size() < kRecordHead + bytes) break;
    whole_ += kRecordHead + bytes;
    if (is_first_ && take_payload(record.substr(kRecordHead, bytes))) return Look::kReady;
  }
  return !is_first_ && whole_ > 0 ? Look::kReady : Look::kMore;
}

// True: the hello is whole, or no hello.
bool HelloGate::take_payload(std::string_view payload) {
  for (const char byte : payload.substr(0, head_.size() - std::min(payload_, head_.size()))) {
    head_[payload_++] = static_cast<uint8_t>(byte);
    payload.remove_prefix(1);
  }
  payload_ += payload.size();
  if (head_[0] != kClientHello) return true;
  if (payload_ < head_.size()) return false;
  const size_t bytes = size_t{head_[1]} << 16 | size_t{head_[2]} << 8 | head_[3];
  return bytes > kHelloMax || payload_ >= head_.size() + bytes;
}

}}}  // namespace trireme::tls
