#include "load/http_reply.h"

#include <algorithm>
#include <charconv>

namespace load {
namespace {

constexpr size_t kHeadBytesMax = 64 << 10;

char to_lower(char byte) {
  return byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte | 0x20) : byte;
}

bool equal(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return to_lower(x) == to_lower(y); });
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool has_word(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    if (equal(trim(list.substr(0, comma)), word)) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

// All of `text`, in that base.
bool read_number(std::string_view text, int base, uint64_t& number) {
  const char* const end = text.data() + text.size();
  const auto [stop, problem] = std::from_chars(text.data(), end, number, base);
  return problem == std::errc() && stop == end;
}

// A server that says it twice must say the same, or nobody knows where the reply ends.
bool says_two_lengths(std::string_view head, std::string_view length) {
  size_t count = 0;
  for (size_t at = head.find("\r\n"); at + 2 < head.size(); at = head.find("\r\n", at + 2)) {
    const std::string_view line = head.substr(at + 2, head.find("\r\n", at + 2) - at - 2);
    const size_t colon = line.find(':');
    if (colon == line.npos || !equal(line.substr(0, colon), "content-length")) continue;
    ++count;
    if (trim(line.substr(colon + 1)) != length) return true;
  }
  return count > 0 && !field_of(head, "transfer-encoding").empty();
}

tr::Error wrong_url(std::string_view url, std::string_view scheme) {
  return {tr::Error::Code::kUsage, "expected a URL " + std::string(scheme) +
                                       "://HOST[:PORT][/PATH][?QUERY], got \"" + std::string(url) +
                                       "\""};
}

}  // namespace

std::string_view field_of(std::string_view head, std::string_view name) {
  size_t at = head.find("\r\n");
  while (at != head.npos && at + 2 < head.size()) {
    const size_t begin = at + 2;
    at = head.find("\r\n", begin);
    const std::string_view line = head.substr(begin, at == head.npos ? at : at - begin);
    if (line.size() > name.size() && line[name.size()] == ':' &&
        equal(line.substr(0, name.size()), name)) {
      return trim(line.substr(name.size() + 1));
    }
  }
  return {};
}

// Text up to and with `ending`, where it is there. It is borrowed until the next call.
bool HttpReplyReader::take_until(std::string_view ending, std::string_view& bytes,
                                 std::string_view& text) {
  if (held_is_used_) held_.clear();
  held_is_used_ = false;
  if (held_.empty()) {
    const size_t at = bytes.find(ending);
    if (at != bytes.npos) {
      text = bytes.substr(0, at + ending.size());
      bytes.remove_prefix(text.size());
      return true;
    }
  }
  const size_t before = held_.size();
  held_.append(bytes);
  const size_t from = before >= ending.size() ? before - ending.size() + 1 : 0;
  const size_t at = held_.find(ending, from);
  if (at == held_.npos) {
    bytes = {};
    return false;
  }
  held_.resize(at + ending.size());
  bytes.remove_prefix(held_.size() - before);
  text = held_;
  held_is_used_ = true;
  return true;
}

HttpReplyReader::Found HttpReplyReader::next(std::string_view& bytes) {
  while (phase_ == Phase::kDone || !bytes.empty()) {
    const Found found = step(bytes);
    if (found != Found::kMore) return found;
  }
  return held_.size() > kHeadBytesMax ? Found::kFault : Found::kMore;
}

HttpReplyReader::Found HttpReplyReader::step(std::string_view& bytes) {
  std::string_view text;
  switch (phase_) {
    case Phase::kDone:
      phase_ = Phase::kHead;
      return Found::kReply;
    case Phase::kHead:
      if (!take_until("\r\n\r\n", bytes, text)) break;
      return read_head(text) ? Found::kMore : Found::kFault;
    case Phase::kLength:
    case Phase::kChunk:
    case Phase::kUntilEnd:
      return take_content(bytes);
    case Phase::kChunkLine:
    case Phase::kChunkEnd:
    case Phase::kTrailer:
      if (!take_until("\r\n", bytes, text)) break;
      text.remove_suffix(2);
      return read_line(text) ? Found::kMore : Found::kFault;
  }
  return held_.size() > kHeadBytesMax ? Found::kFault : Found::kMore;
}

bool HttpReplyReader::read_head(std::string_view head) {
  uint64_t status = 0;
  const bool is_old = head.starts_with("HTTP/1.0 ");
  if (!is_old && !head.starts_with("HTTP/1.1 ")) return false;
  if (!read_number(head.substr(9, 3), 10, status) || status < 100 || status > 999) return false;
  if (head[12] != ' ' && head[12] != '\r') return false;
  status_ = static_cast<int>(status);
  content_bytes_ = 0;
  if (status < 200 && status != 101) return true;  // 100 Continue: the reply comes behind it
  const std::string_view connection = field_of(head, "connection");
  ends_connection_ =
      has_word(connection, "close") || (is_old && !has_word(connection, "keep-alive"));
  const std::string_view coding = field_of(head, "transfer-encoding");
  const std::string_view length = field_of(head, "content-length");
  if (says_two_lengths(head, length)) return false;
  if (!coding.empty() && !equal(coding, "chunked")) return false;
  if (!length.empty() && !read_number(length, 10, left_)) return false;
  begin_content(expects_no_content_ || status == 204 || status == 304 || status == 101,
                !coding.empty(), length);
  return true;
}

void HttpReplyReader::begin_content(bool has_none, bool in_chunks, std::string_view length) {
  if (has_none) {
    phase_ = Phase::kDone;
  } else if (in_chunks) {
    phase_ = Phase::kChunkLine;
  } else if (!length.empty()) {
    phase_ = left_ == 0 ? Phase::kDone : Phase::kLength;
  } else {
    phase_ = Phase::kUntilEnd;
    ends_connection_ = true;
  }
}

bool HttpReplyReader::read_line(std::string_view line) {
  if (phase_ == Phase::kChunkEnd) {
    phase_ = Phase::kChunkLine;
    return line.empty();
  }
  if (phase_ == Phase::kTrailer) {
    if (line.empty()) phase_ = Phase::kDone;
    return true;
  }
  if (!read_number(trim(line.substr(0, line.find(';'))), 16, left_)) return false;
  phase_ = left_ == 0 ? Phase::kTrailer : Phase::kChunk;
  return true;
}

HttpReplyReader::Found HttpReplyReader::take_content(std::string_view& bytes) {
  const bool is_bounded = phase_ != Phase::kUntilEnd;
  content_ = is_bounded ? bytes.substr(0, std::min<uint64_t>(left_, bytes.size())) : bytes;
  bytes.remove_prefix(content_.size());
  content_bytes_ += content_.size();
  if (is_bounded) {
    left_ -= content_.size();
    if (left_ == 0) phase_ = phase_ == Phase::kChunk ? Phase::kChunkEnd : Phase::kDone;
  }
  return Found::kContent;
}

HttpReplyReader::Found HttpReplyReader::end() {
  if (phase_ == Phase::kUntilEnd) {
    phase_ = Phase::kHead;
    return Found::kReply;
  }
  const bool has_begun = phase_ != Phase::kHead || (!held_.empty() && !held_is_used_);
  return has_begun ? Found::kFault : Found::kMore;
}

tr::Result<WebUrl> read_web_url(std::string_view url, std::string_view scheme) {
  WebUrl made;
  const size_t colon = url.find("://");
  if (colon == url.npos) return wrong_url(url, scheme);
  const std::string_view given = url.substr(0, colon);
  made.is_secure = given.size() == scheme.size() + 1 && given.ends_with('s');
  if (given.substr(0, scheme.size()) != scheme || (given != scheme && !made.is_secure)) {
    return wrong_url(url, scheme);
  }
  const std::string_view rest = url.substr(colon + 3);
  const size_t end = std::min(rest.find_first_of("/?#"), rest.size());
  made.host = rest.substr(0, end);
  const std::string_view target = rest.substr(end);
  const bool is_odd = std::any_of(
      url.begin(), url.end(), [](char byte) { return byte <= ' ' || byte > '~' || byte == '#'; });
  if (made.host.empty() || is_odd) return wrong_url(url, scheme);
  made.target = (target.starts_with('/') ? "" : "/") + std::string(target);
  // The port is what follows the last colon, unless that is within the brackets of an address.
  const size_t port = made.host.rfind(':');
  const bool has_port = port != made.host.npos && made.host.find(']', port) == made.host.npos;
  made.endpoint = (made.is_secure ? "tls://" : "tcp://") + made.host;
  if (!has_port) made.endpoint += made.is_secure ? ":443" : ":80";
  return made;
}

}  // namespace load
