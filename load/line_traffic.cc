#include <charconv>
#include <string>

#include "load/traffic.h"

namespace load {
namespace {

class LineTraffic final : public Traffic {
 public:
  explicit LineTraffic(uint32_t block_microseconds)
      : block_text_(std::string(" ") + std::to_string(block_microseconds) + "\n") {}

  void add_request(Connection& connection, const Pending& request, Tally&) override {
    char text[24];
    connection.out.append(text, format(request.id, text));
    connection.out.append(request.blocks ? std::string_view(block_text_) : " 0\n");
    connection.push(request);
  }

  void receive(Connection& connection, std::string_view bytes, int64_t now_ns,
               Tally& tally) override {
    while (!bytes.empty()) {
      const size_t newline = bytes.find('\n');
      if (newline == std::string_view::npos) {
        connection.partial.append(bytes);
        // No reply is this long: count it and forget it, rather than grow without a bound.
        if (connection.partial.size() <= kReplyMax) return;
        count_differences(connection, connection.received, connection.partial, {}, tally);
        connection.received += connection.partial.size();
        return connection.partial.clear();
      }
      std::string_view line = bytes.substr(0, newline);
      if (!connection.partial.empty()) line = connection.partial.append(line);
      check(connection, line, now_ns, tally);
      connection.received += line.size() + 1;
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
    if (connection.pending.empty()) {
      tally.note("connection " + std::to_string(connection.index) + ": a line without a request");
      tally.wrong_bytes += line.size() + 1;
      return;
    }
    char text[24];
    const std::string_view wanted(text, format(connection.pending.oldest().id, text));
    if (line == "BUSY" || line.starts_with("BUSY ")) {
      ++tally.refused;
    } else if (line != wanted) {
      count_differences(connection, connection.received, line, wanted, tally);
    }
    connection.complete(now_ns, tally);
  }

  const std::string block_text_;
};

}  // namespace

std::unique_ptr<Traffic> make_line_traffic(uint32_t block_microseconds) {
  return std::make_unique<LineTraffic>(block_microseconds);
}

}  // namespace load
