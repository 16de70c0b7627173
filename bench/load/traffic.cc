#include "traffic.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <random>

namespace bench {

void Connection::complete(int64_t now_ns, Tally& tally) {
  const Pending& request = pending[pending_head];
  (request.blocks ? tally.blocking : tally.fast).add(now_ns - request.intended_ns);
  ++tally.requests;
  pending_head = (pending_head + 1) % static_cast<uint32_t>(pending.size());
  --pending_count;
}

namespace {

uint64_t count_differences(std::string_view got, std::string_view wanted) {
  const size_t common = std::min(got.size(), wanted.size());
  uint64_t differences = std::max(got.size(), wanted.size()) - common;
  for (size_t i = 0; i < common; ++i) differences += got[i] != wanted[i] ? 1 : 0;
  return differences;
}

// The stream is a window that slides over random bytes of prime period, so nothing is copied and
// a message never begins where a message of the same size began shortly before.
class EchoTraffic final : public Traffic {
 public:
  explicit EchoTraffic(uint64_t message_bytes) : message_bytes_(message_bytes) {
    std::mt19937_64 random(1);
    bytes_.resize(kPeriod + kReceiveBytes);
    for (size_t i = 0; i < kPeriod; ++i) bytes_[i] = static_cast<char>(random());
    for (size_t i = kPeriod; i < bytes_.size(); ++i) bytes_[i] = bytes_[i - kPeriod];
  }

  void add_request(Connection& connection, const Pending& request) override {
    if (connection.pending_count == 0) connection.reply_end = connection.queued + message_bytes_;
    connection.queued += message_bytes_;
    connection.push(request);
  }

  std::string_view unwritten(const Connection& connection) const override {
    return window(connection, connection.written, connection.queued);
  }

  void wrote(Connection& connection, size_t size) override { connection.written += size; }

  void receive(Connection& connection, std::string_view bytes, int64_t now_ns,
               Tally& tally) override {
    const std::string_view wanted = window(connection, connection.received, connection.queued);
    if (bytes != wanted.substr(0, bytes.size())) {
      tally.wrong_bytes += count_differences(bytes, wanted.substr(0, bytes.size()));
    }
    connection.received += bytes.size();
    while (connection.pending_count > 0 && connection.received >= connection.reply_end) {
      connection.complete(now_ns, tally);
      connection.reply_end += message_bytes_;
    }
  }

 private:
  static constexpr size_t kPeriod = 65521;

  std::string_view window(const Connection& connection, uint64_t from, uint64_t to) const {
    constexpr uint64_t kApart = 7919;  // neighbours must not say the same
    const size_t start = (from + connection.index * kApart) % kPeriod;
    const uint64_t size = from < to ? std::min<uint64_t>(to - from, kReceiveBytes) : 0;
    return {bytes_.data() + start, size};
  }

  const uint64_t message_bytes_;
  std::vector<char> bytes_;
};

class LineTraffic final : public Traffic {
 public:
  explicit LineTraffic(uint32_t block_microseconds)
      : block_text_(" " + std::to_string(block_microseconds) + "\n") {}

  void add_request(Connection& connection, const Pending& request) override {
    char text[24];
    connection.out.append(text, format(request.id, text));
    connection.out.append(request.blocks ? std::string_view(block_text_) : " 0\n");
    connection.push(request);
  }

  std::string_view unwritten(const Connection& connection) const override {
    return std::string_view(connection.out).substr(connection.out_written);
  }

  void wrote(Connection& connection, size_t size) override {
    connection.out_written += size;
    if (connection.out_written < connection.out.size()) return;
    connection.out.clear();
    connection.out_written = 0;
  }

  void receive(Connection& connection, std::string_view bytes, int64_t now_ns,
               Tally& tally) override {
    while (!bytes.empty()) {
      const size_t newline = bytes.find('\n');
      if (newline == std::string_view::npos) {
        connection.partial.append(bytes);
        // No reply is this long: count it and forget it, rather than grow without a bound.
        if (connection.partial.size() <= kReplyMax) return;
        tally.wrong_bytes += connection.partial.size();
        return connection.partial.clear();
      }
      std::string_view line = bytes.substr(0, newline);
      if (!connection.partial.empty()) line = connection.partial.append(line);
      check(connection, line, now_ns, tally);
      connection.partial.clear();
      bytes.remove_prefix(newline + 1);
    }
  }

 private:
  static constexpr size_t kReplyMax = 4096;

  static size_t format(uint64_t id, char (&text)[24]) {
    return static_cast<size_t>(std::to_chars(text, text + sizeof text, id).ptr - text);
  }

  static void check(Connection& connection, std::string_view line, int64_t now_ns, Tally& tally) {
    if (connection.pending_count == 0) {
      tally.wrong_bytes += line.size() + 1;
      return;
    }
    char text[24];
    const std::string_view wanted(text,
                                  format(connection.pending[connection.pending_head].id, text));
    if (line == "BUSY" || line.starts_with("BUSY ")) {
      ++tally.refused;
    } else if (line != wanted) {
      tally.wrong_bytes += count_differences(line, wanted);
    }
    connection.complete(now_ns, tally);
  }

  const std::string block_text_;
};

}  // namespace

std::unique_ptr<Traffic> make_echo_traffic(uint64_t message_bytes) {
  return std::make_unique<EchoTraffic>(message_bytes);
}

std::unique_ptr<Traffic> make_line_traffic(uint32_t block_microseconds) {
  return std::make_unique<LineTraffic>(block_microseconds);
}

}  // namespace bench
