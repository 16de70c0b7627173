#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "load/clocks.h"
#include "load/traffic.h"

namespace load {

void count_differences(const Connection& connection, uint64_t position, std::string_view got,
                       std::string_view wanted, Tally& tally) {
  const size_t common = std::min(got.size(), wanted.size());
  size_t first = common;
  uint64_t differences = std::max(got.size(), wanted.size()) - common;
  for (size_t i = 0; i < common; ++i) {
    if (got[i] == wanted[i]) continue;
    first = std::min(first, i);
    ++differences;
  }
  tally.wrong_bytes += differences;
  if (!tally.problem.empty()) return;
  const auto byte = [first](std::string_view text) {
    std::array<char, 8> hexadecimal{};
    if (first >= text.size()) return std::string("nothing");
    std::snprintf(hexadecimal.data(), hexadecimal.size(), "0x%02x",
                  static_cast<unsigned char>(text[first]));
    return std::string(hexadecimal.data());
  };
  tally.note("connection " + std::to_string(connection.index) + ": byte " +
             std::to_string(position + first) + " of what came back is " + byte(got) +
             ", expected " + byte(wanted));
}

namespace {

// The stream is a window that slides over a period of random bytes, so nothing is copied.
class EchoTraffic : public Traffic {
 public:
  EchoTraffic(const Framing& framing, uint64_t message_bytes)
      : stream_(make_stream(framing, message_bytes, kReceiveBytes)) {}

  void add_request(Connection& connection, const Pending& request, Tally&) override {
    if (connection.pending.empty()) {
      connection.reply_end = connection.queued + stream_.message_bytes;
    }
    connection.queued += stream_.message_bytes;
    connection.push(request);
  }

  std::string_view unwritten(const Connection& connection) const override {
    return window(connection, connection.written, connection.queued);
  }

  void wrote(Connection& connection, size_t size, Tally&) override { connection.written += size; }

  void receive(Connection& connection, std::string_view bytes, int64_t now_ns,
               Tally& tally) override {
    const std::string_view wanted = window(connection, connection.received, connection.queued);
    if (bytes != wanted.substr(0, bytes.size())) {
      count_differences(connection, connection.received, bytes, wanted.substr(0, bytes.size()),
                        tally);
    }
    connection.received += bytes.size();
    complete_until(connection, connection.received, now_ns, tally);
  }

 protected:
  void complete_until(Connection& connection, uint64_t position, int64_t now_ns,
                      Tally& tally) const {
    while (!connection.pending.empty() && position >= connection.reply_end) {
      connection.complete(now_ns, tally);
      connection.reply_end += stream_.message_bytes;
    }
  }

 private:
  std::string_view window(const Connection& connection, uint64_t from, uint64_t to) const {
    const size_t start = (from + connection.index * stream_.apart) % stream_.period;
    const uint64_t size = from < to ? std::min<uint64_t>(to - from, kReceiveBytes) : 0;
    return {stream_.bytes.data() + start, size};
  }

  const Stream stream_;
};

class OneWayTraffic final : public EchoTraffic {
 public:
  explicit OneWayTraffic(uint64_t chunk_bytes) : EchoTraffic(Framing{}, chunk_bytes) {}

  void wrote(Connection& connection, size_t size, Tally& tally) override {
    EchoTraffic::wrote(connection, size, tally);
    complete_until(connection, connection.written, now_ns(), tally);
  }

  void receive(Connection& connection, std::string_view bytes, int64_t, Tally& tally) override {
    count_differences(connection, connection.received, bytes, {}, tally);
    connection.received += bytes.size();
  }
};

}  // namespace

std::unique_ptr<Traffic> make_echo_traffic(const Framing& framing, uint64_t message_bytes) {
  return std::make_unique<EchoTraffic>(framing, message_bytes);
}

std::unique_ptr<Traffic> make_one_way_traffic(uint64_t chunk_bytes) {
  return std::make_unique<OneWayTraffic>(chunk_bytes);
}

}  // namespace load
