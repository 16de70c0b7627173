// A transport layer of tests that does all that layers may: a handshake with an answer, bytes that
// change, last words, an end of its own.
//
// The peer knocks ("knock!"), is answered "come in!", and then every byte goes with its bit 0x80
// turned; a byte 0 is the end of what one side says. "go away!" is its answer to anybody else.
// HeavyKnockLayer opens the same door by a job.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "trireme/transport_layer.h"

namespace support {

inline std::string turned(std::string_view plain) {
  std::string text(plain);
  for (char& byte : text) byte = static_cast<char>(byte ^ '\x80');
  return text;
}

class KnockLayer final : public trireme::TransportLayer {
 public:
  static constexpr std::string_view kKnock = "knock!";
  static constexpr std::string_view kWelcome = "come in!";
  static constexpr std::string_view kRefusal = "go away!";
  static constexpr std::string_view kThrows = "throw!";

  trireme::LayerState receive(std::string_view& bytes, bool ended,
                              trireme::LayerOutput& out) override {
    using State = trireme::LayerState;
    heard_ += std::exchange(bytes, {});
    if (!is_open_ && heard_.size() >= kKnock.size()) {
      if (heard_.starts_with(kThrows)) throw std::runtime_error("a layer has thrown");
      if (!heard_.starts_with(kKnock)) {
        out.to_peer += kRefusal;
        return State::kFailed;
      }
      heard_.erase(0, kKnock.size());
      out.to_peer += kWelcome;
      out.facts.add("knock.times", "1");
      is_open_ = true;
    }
    if (!is_open_) return State::kShaking;
    const size_t end = heard_.find('\0');
    out.plain += turned(std::string_view(heard_).substr(0, end));
    heard_.clear();
    // A stream that is cut is not one that has ended.
    if (ended && !peer_ended_) return State::kFailed;
    peer_ended_ = peer_ended_ || end != heard_.npos;
    out.peer_ended = peer_ended_;
    return State::kOpen;
  }
  bool send(std::string_view plain, std::string& to_peer) override {
    to_peer += turned(plain);
    return true;
  }
  void finish_sending(std::string& to_peer) override { to_peer += '\0'; }
  size_t bytes_held() const override { return heard_.size(); }
  std::string failure() const override { return "nobody has knocked"; }

 private:
  std::string heard_;
  bool is_open_ = false;
  bool peer_ended_ = false;
};

// What a client says and hears, as strings to be put together.
inline const std::string kKnock(KnockLayer::kKnock);
inline const std::string kWelcome(KnockLayer::kWelcome);
inline const std::string kRefusal(KnockLayer::kRefusal);
inline const std::string kBye(1, '\0');

// Computes before it opens: `computes` is called where that is done.
class HeavyKnockLayer final : public trireme::TransportLayer {
 public:
  explicit HeavyKnockLayer(const std::function<void()>& computes) : computes_(computes) {}

  trireme::LayerState receive(std::string_view& bytes, bool ended,
                              trireme::LayerOutput& out) override {
    if (is_open_) return inner_.receive(bytes, ended, out);
    kept_ += std::exchange(bytes, {});
    return kept_.size() < KnockLayer::kKnock.size() || ended ? trireme::LayerState::kShaking
                                                             : trireme::LayerState::kWantsJob;
  }
  trireme::LayerState compute(trireme::LayerOutput& out) override {
    if (computes_) computes_();
    const std::string kept = std::exchange(kept_, {});
    std::string_view bytes = kept;
    const trireme::LayerState state = inner_.receive(bytes, false, out);
    is_open_ = state == trireme::LayerState::kOpen;
    return state;
  }
  bool send(std::string_view plain, std::string& to_peer) override {
    return inner_.send(plain, to_peer);
  }
  void finish_sending(std::string& to_peer) override { inner_.finish_sending(to_peer); }
  size_t bytes_held() const override { return kept_.size() + inner_.bytes_held(); }
  std::string failure() const override { return inner_.failure(); }

 private:
  const std::function<void()> computes_;
  KnockLayer inner_;
  std::string kept_;
  bool is_open_ = false;
};

class KnockFactory final : public trireme::LayerFactory {
 public:
  explicit KnockFactory(bool throws = false) : throws_(throws) {}
  std::string_view name() const override { return "knock"; }
  std::unique_ptr<trireme::TransportLayer> make(std::string_view) const override {
    if (throws_) throw std::runtime_error("no door to knock at");
    return std::make_unique<KnockLayer>();
  }

 private:
  const bool throws_;
};

class HeavyKnockFactory final : public trireme::LayerFactory {
 public:
  explicit HeavyKnockFactory(std::function<void()> computes = {})
      : computes_(std::move(computes)) {}
  std::string_view name() const override { return "knock"; }
  std::unique_ptr<trireme::TransportLayer> make(std::string_view) const override {
    return std::make_unique<HeavyKnockLayer>(computes_);
  }

 private:
  const std::function<void()> computes_;
};

}  // namespace support
