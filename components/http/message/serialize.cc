#include "http/message/serialize.h"

#include <charconv>
#include <cstring>

namespace trireme { inline namespace v0 { namespace http {

namespace {

constexpr std::string_view kOkLine = "HTTP/1.1 200 OK\r\nDate: ";
constexpr std::string_view kClose = "Connection: close\r\n";
constexpr std::string_view kKeepAlive = "Connection: keep-alive\r\n";
constexpr size_t kFixedBytesMax = 256;  // all but words of the status, type and fields

// Appends to a buffer that has room.
class Writer {
 public:
  explicit Writer(char* into) : begin_(into), at_(into) {}

  void put(std::string_view text) {
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }
  void put(uint64_t number) { at_ = std::to_chars(at_, at_ + 20, number).ptr; }
  char* skip(size_t bytes) {
    char* const was = at_;
    at_ += bytes;
    return was;
  }
  size_t bytes() const { return static_cast<size_t>(at_ - begin_); }

 private:
  char* begin_;
  char* at_;
};

}  // namespace

size_t head_bytes_max(const Response& response) {
  return kFixedBytesMax + response.content_type().size() + response.fields().size();
}

size_t put_head(const Response& response, const ReplyFraming& framing, uint64_t body_bytes,
                DateCache& dates, int64_t now, char* into) {
  Writer writer(into);
  const int status = response.status();
  if (status == 200) {
    writer.put(kOkLine);
  } else {
    writer.put("HTTP/1.1 ");
    writer.put(static_cast<uint64_t>(status));
    writer.put(" ");
    writer.put(status_words(status));
    writer.put("\r\nDate: ");
  }
  dates.put(now, writer.skip(kDateBytes));
  if (const std::string_view type = response.content_type(); !type.empty()) {
    writer.put("\r\nContent-Type: ");
    writer.put(type);
  }
  if (status_has_length(status) && framing.body_end == BodyEnd::kLength) {
    writer.put("\r\nContent-Length: ");
    writer.put(status_has_body(status) ? body_bytes : 0);
  } else if (status_has_length(status) && framing.body_end == BodyEnd::kChunks) {
    writer.put("\r\nTransfer-Encoding: chunked");
  }
  writer.put("\r\n");
  writer.put(response.fields());
  if (framing.closes) {
    writer.put(kClose);
  } else if (framing.old) {
    writer.put(kKeepAlive);
  }
  writer.put("\r\n");
  return writer.bytes();
}

std::string_view sent_body(const Response& response, const ReplyFraming& framing) {
  if (framing.drops_body || !status_has_body(response.status())) return {};
  return response.body();
}

std::string serialize(Response&& response, const ReplyFraming& framing, DateCache& dates,
                      int64_t now) {
  const std::string_view body = sent_body(response, framing);
  std::string made;
  const size_t room = head_bytes_max(response);
  made.reserve(room + body.size());
  made.resize(room);
  made.resize(put_head(response, framing, response.body_bytes(), dates, now, made.data()));
  made.append(body);
  return made;
}

}}}  // namespace trireme::http
