#include "trireme/http/event_stream.h"

#include <array>
#include <charconv>
#include <stdexcept>

namespace trireme { inline namespace v0 { namespace http {

namespace {

// A field with a line for each line of its text; CR, LF and CR LF end lines.
void put_lines(std::string& into, std::string_view field, std::string_view text) {
  while (true) {
    const size_t end = text.find_first_of("\r\n");
    into.append(field).append(text.substr(0, end)).append("\n");
    if (end == std::string_view::npos) return;
    const bool two = text[end] == '\r' && end + 1 < text.size() && text[end + 1] == '\n';
    text.remove_prefix(end + (two ? 2 : 1));
  }
}

void refuse_line_ends(std::string_view text) {
  if (text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos) return;
  throw std::invalid_argument("the name and the id of an event have one line");
}

}  // namespace

std::string format_event(const Event& event) {
  refuse_line_ends(event.name);
  refuse_line_ends(event.id);
  std::string made;
  made.reserve(event.data.size() + event.name.size() + event.id.size() + 32);
  if (!event.name.empty()) made.append("event: ").append(event.name).append("\n");
  if (!event.id.empty()) made.append("id: ").append(event.id).append("\n");
  if (event.retry) made.append("retry: " + std::to_string(event.retry->count()) + "\n");
  put_lines(made, "data: ", event.data);
  return made.append("\n");
}

std::string format_comment(std::string_view text) {
  std::string made;
  put_lines(made, ": ", text);
  return made.append("\n");
}

std::string chunk_of(std::string_view text) {
  std::array<char, 18> size;
  char* end = std::to_chars(size.data(), size.data() + 16, text.size(), 16).ptr;
  *end++ = '\r';
  *end++ = '\n';
  const auto head = static_cast<size_t>(end - size.data());
  std::string chunk;
  chunk.reserve(head + text.size() + 2);
  chunk.append(size.data(), head).append(text).append("\r\n");
  return chunk;
}

PreparedEvent::PreparedEvent(const Event& event) {
  const std::string text = format_event(event);
  bytes_ = text.size();
  chunk_ = SharedBytes(chunk_of(text));
  head_bytes_ = chunk_.size() - bytes_ - 2;
}

SendResult EventStream::send_bytes(std::string bytes, Overflow overflow) const {
  return peer_.send(in_chunks_ ? chunk_of(bytes) : std::move(bytes), overflow);
}

SendResult EventStream::send(const PreparedEvent& event, Overflow overflow) const {
  if (in_chunks_) return peer_.send(event.chunk(), overflow);
  return peer_.send(std::string(event.text()), overflow);
}

SendResult EventStream::send(const Event& event, Overflow overflow) const {
  return send_bytes(format_event(event), overflow);
}

SendResult EventStream::comment(std::string_view text) const {
  return send_bytes(format_comment(text), Overflow::kReject);
}

void EventStream::close() const {
  is_closed_->store(true, std::memory_order_relaxed);  // the mail of the close publishes it
  peer_.close();
}

}}}  // namespace trireme::http
