#include <algorithm>
#include <random>

#include "load/clocks.h"
#include "load/web_traffic.h"

namespace load {

WebContent::WebContent(uint64_t bytes) : bytes_(bytes) {
  constexpr std::string_view kLetters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-";
  if (bytes == 0) return;
  std::mt19937_64 random(1);
  period_.resize(kPeriod + bytes);
  for (uint64_t i = 0; i < kPeriod; ++i) period_[i] = kLetters[random() % kLetters.size()];
  for (uint64_t i = kPeriod; i < period_.size(); ++i) period_[i] = period_[i - kPeriod];
}

std::string_view WebContent::of(const Connection& connection, uint64_t request) const {
  if (bytes_ == 0) return {};
  const uint64_t begin = (request * 13'007 + uint64_t{connection.index} * 7'919) % kPeriod;
  return std::string_view(period_).substr(begin, bytes_);
}

std::string head_of(const WebOptions& web, const std::string& target) {
  std::string head = web.method + " " + target + " HTTP/1.1\r\nHost: " + web.host + "\r\n";
  for (const std::string& field : web.fields) head += field + "\r\n";
  return head;
}

namespace {

class HttpTraffic final : public Traffic {
 public:
  HttpTraffic(const WebOptions& web, uint64_t body_bytes)
      : web_(web),
        content_(body_bytes),
        head_(end_head(head_of(web, web.target), body_bytes)),
        blocking_head_(end_head(head_of(web, web.block_target), body_bytes)),
        wanted_bytes_(web.echoes ? std::optional(body_bytes) : web.reply_bytes) {}

  void add_request(Connection& connection, const Pending& request, Tally&) override {
    connection.out += request.blocks ? blocking_head_ : head_;
    connection.out += content_.of(connection, request.id);
    if (web_.method == "HEAD") connection.replies.expect_no_content();
    connection.push(request);
  }

  void receive(Connection& connection, std::string_view bytes, int64_t now_ns,
               Tally& tally) override {
    connection.received += bytes.size();
    while (connection.fault == nullptr) {
      switch (connection.replies.next(bytes)) {
        case HttpReplyReader::Found::kMore:
          return;
        case HttpReplyReader::Found::kContent:
          if (web_.echoes) compare(connection, tally);
          break;
        case HttpReplyReader::Found::kReply:
          check(connection, now_ns, tally);
          break;
        case HttpReplyReader::Found::kFault:
          ++tally.wrong_bytes;
          connection.fault = "what the server sent is no HTTP/1.1";
          break;
      }
    }
  }

  bool ended(Connection& connection, int64_t now_ns, Tally& tally) override {
    switch (connection.replies.end()) {
      case HttpReplyReader::Found::kReply:
        check(connection, now_ns, tally);
        break;
      case HttpReplyReader::Found::kMore:
        break;  // between two replies: servers close whom they find idle
      default:
        return false;
    }
    return connection.pending.empty() && connection.fault == nullptr;
  }

 private:
  std::string end_head(std::string head, uint64_t body_bytes) const {
    if (web_.closes) head += "Connection: close\r\n";
    if (body_bytes > 0) head += "Content-Length: " + std::to_string(body_bytes) + "\r\n";
    return head + "\r\n";
  }

  void compare(const Connection& connection, Tally& tally) const {
    if (connection.pending.empty() || connection.replies.status() != web_.status) return;
    const std::string_view got = connection.replies.content();
    const std::string_view all = content_.of(connection, connection.pending.oldest().id);
    const uint64_t from = connection.replies.content_bytes() - got.size();
    const std::string_view wanted =
        from < all.size() ? all.substr(from, got.size()) : std::string_view();
    if (got == wanted) return;
    count_differences(connection, connection.received - got.size(), got, wanted, tally);
  }

  void check(Connection& connection, int64_t now_ns, Tally& tally) {
    const HttpReplyReader& reply = connection.replies;
    if (connection.pending.empty()) {
      tally.wrong_bytes += std::max<uint64_t>(reply.content_bytes(), 1);
      connection.fault = "a reply that no request has asked for";
      return;
    }
    if (reply.status() == 503 && web_.status != 503) {
      ++tally.refused;
    } else if (reply.status() != web_.status) {
      reject(connection, "status", static_cast<uint64_t>(reply.status()),
             static_cast<uint64_t>(web_.status), tally);
    } else if (!wanted_bytes_) {
      wanted_bytes_ = reply.content_bytes();
    } else if (*wanted_bytes_ != reply.content_bytes()) {
      reject(connection, "bytes of content", reply.content_bytes(), *wanted_bytes_, tally);
    }
    connection.complete(now_ns, tally);
    if (!web_.closes && !reply.ends_connection()) return;
    if (connection.pending.empty()) {
      connection.close_wanted = true;
    } else {
      connection.fault = "the server ends it, and owes replies";
    }
  }

  static void reject(const Connection& connection, const char* what, uint64_t got, uint64_t wanted,
                     Tally& tally) {
    tally.note("connection " + std::to_string(connection.index) + ": " + what + ": got " +
               std::to_string(got) + ", expected " + std::to_string(wanted));
    tally.wrong_bytes += got > wanted ? got - wanted : wanted - got;
  }

  const WebOptions& web_;
  const WebContent content_;
  const std::string head_;
  const std::string blocking_head_;
  std::optional<uint64_t> wanted_bytes_;
};

}  // namespace

std::unique_ptr<Traffic> make_http_traffic(const WebOptions& web, uint64_t body_bytes) {
  return std::make_unique<HttpTraffic>(web, body_bytes);
}

}  // namespace load
