#include "http/message/head.h"

#include <llhttp.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <algorithm>
#include <bit>

#include "http/message/characters.h"
#include "http/message/target.h"

namespace trireme { inline namespace v0 { namespace http {

namespace {

constexpr size_t kMethodBytesMax = 32;

// Fields that decide how the message is read.
enum class Field : uint8_t { kOther, kHost, kTransferEncoding, kExpect, kUpgrade, kConnection };

Field field_of(std::string_view name) {
  switch (name.size()) {
    case 4:
      return equal_ignoring_case(name, "host") ? Field::kHost : Field::kOther;
    case 6:
      return equal_ignoring_case(name, "expect") ? Field::kExpect : Field::kOther;
    case 7:
      return equal_ignoring_case(name, "upgrade") ? Field::kUpgrade : Field::kOther;
    case 10:
      return equal_ignoring_case(name, "connection") ? Field::kConnection : Field::kOther;
    case 17:
      return equal_ignoring_case(name, "transfer-encoding") ? Field::kTransferEncoding
                                                            : Field::kOther;
    default:
      return Field::kOther;
  }
}

// What llhttp tells of one head.
struct Reading {
  std::string_view target{};
  uint32_t fields = 0;
  uint32_t fields_max = 0;
  uint32_t hosts = 0;
  uint32_t codings = 0;
  Field field = Field::kOther;  // whose value is to come
  bool complete = false;
  bool chunked = false;
  bool upgrade = false;
  bool expects = false;
  // What Connection says. llhttp takes Proxy-Connection for it, and no tab beside a word.
  bool says_close = false;
  bool says_keep_alive = false;
  bool says_upgrade = false;
  Refusal refusal{};
};

Reading& reading_of(llhttp_t* parser) { return *static_cast<Reading*>(parser->data); }

int on_url(llhttp_t* parser, const char* at, size_t bytes) {
  reading_of(parser).target = {at, bytes};
  return 0;
}

// An empty value has no span, so llhttp says nothing of it. True: it is refused.
bool refuses_empty_value(Reading& reading) {
  if (reading.field == Field::kTransferEncoding) {
    reading.refusal = {400, "an empty Transfer-Encoding"};
  } else if (reading.field == Field::kHost && ++reading.hosts > 1) {
    reading.refusal = {400, "more than one Host"};
  }
  return static_cast<bool>(reading.refusal);
}

int on_field(llhttp_t* parser, const char* at, size_t bytes) {
  Reading& reading = reading_of(parser);
  if (reading.field != Field::kOther && refuses_empty_value(reading)) return HPE_USER;
  reading.field = field_of({at, bytes});
  if (++reading.fields <= reading.fields_max) return 0;
  reading.refusal = {431, "too many header fields"};
  return HPE_USER;
}

// Whether the last of the codings is "chunked".
bool ends_in_chunked(std::string_view codings) {
  std::string_view member, last;
  while (next_member(codings, ',', member)) last = member;
  return equal_ignoring_case(last, "chunked");
}

void read_connection(Reading& reading, std::string_view options) {
  if (options == "keep-alive") {  // of most clients
    reading.says_keep_alive = true;
    return;
  }
  std::string_view option;
  while (next_member(options, ',', option)) {
    if (equal_ignoring_case(option, "close")) reading.says_close = true;
    if (equal_ignoring_case(option, "keep-alive")) reading.says_keep_alive = true;
    if (equal_ignoring_case(option, "upgrade")) reading.says_upgrade = true;
  }
}

Refusal judge_field(Reading& reading, std::string_view value) {
  switch (reading.field) {
    case Field::kHost:
      if (++reading.hosts > 1) return {400, "more than one Host"};
      if (!is_host(value)) return {400, "an invalid Host"};
      return {};
    case Field::kTransferEncoding:
      if (++reading.codings > 1) return {400, "more than one Transfer-Encoding"};
      reading.chunked = equal_ignoring_case(value, "chunked");
      if (reading.chunked) return {};
      if (ends_in_chunked(value)) return {501, "a transfer coding that is not known"};
      return {400, "the last transfer coding is not chunked"};
    case Field::kExpect:
      if (!equal_ignoring_case(value, "100-continue")) return {417, "an unknown expectation"};
      reading.expects = true;
      return {};
    case Field::kUpgrade:
      reading.upgrade = true;
      return {};
    case Field::kConnection:
      read_connection(reading, value);
      return {};
    case Field::kOther:
      break;
  }
  return {};
}

int on_value(llhttp_t* parser, const char* at, size_t bytes) {
  Reading& reading = reading_of(parser);
  if (reading.field == Field::kOther) return 0;
  reading.refusal = judge_field(reading, trim({at, bytes}));
  reading.field = Field::kOther;
  return reading.refusal ? HPE_USER : 0;
}

int on_headers_complete(llhttp_t* parser) {
  Reading& reading = reading_of(parser);
  if (reading.field != Field::kOther && refuses_empty_value(reading)) return -1;
  reading.complete = true;
  return HPE_PAUSED;
}

// llhttp compares 16 bytes at once where it is built for SSE 4.2, as every x86 of today has it.
using Execute = int (*)(llhttp_t*, const char*, const char*);
#ifdef TRIREME_LLHTTP_SSE42
extern "C" int llhttp__internal_execute_sse42(llhttp_t*, const char*, const char*);
Execute choose_execute() {
  return __builtin_cpu_supports("sse4.2") ? llhttp__internal_execute_sse42
                                          : llhttp__internal_execute;
}
#else
Execute choose_execute() { return llhttp__internal_execute; }
#endif

const llhttp_settings_t& settings() {
  static const llhttp_settings_t made = [] {
    llhttp_settings_t all;
    llhttp_settings_init(&all);
    all.on_url = on_url;
    all.on_header_field = on_field;
    all.on_header_value = on_value;
    all.on_headers_complete = on_headers_complete;
    return all;
  }();
  return made;
}

Method method_of(uint8_t number) {
  switch (number) {
    case HTTP_GET:
      return Method::kGet;
    case HTTP_HEAD:
      return Method::kHead;
    case HTTP_POST:
      return Method::kPost;
    case HTTP_PUT:
      return Method::kPut;
    case HTTP_PATCH:
      return Method::kPatch;
    case HTTP_DELETE:
      return Method::kDelete;
    case HTTP_OPTIONS:
      return Method::kOptions;
    case HTTP_TRACE:
      return Method::kTrace;
    case HTTP_CONNECT:
      return Method::kConnect;
    default:
      return Method::kOther;
  }
}

// "HTTP/D.D" at the end of the request line, or nothing.
struct Version {
  char* minor = nullptr;
  char major_digit = '0';
};
Version version_of(std::span<char> line) {
  constexpr std::string_view kName = " HTTP/";
  constexpr size_t kBytes = kName.size() + 3;
  if (line.size() < kBytes) return {};
  char* const at = line.data() + line.size() - kBytes;
  if (std::string_view(at, kName.size()) != kName) return {};
  char* const digits = at + kName.size();
  if (!is_digit(digits[0]) || digits[1] != '.' || !is_digit(digits[2])) return {};
  return {digits + 2, digits[0]};
}

// Why llhttp has refused a head, in the words and the status of HTTP.
Refusal refusal_of(const llhttp_t& parser, std::string_view line) {
  const std::string_view method = line.substr(0, line.find(' '));
  switch (llhttp_get_errno(&parser)) {
    case HPE_INVALID_METHOD:
      // Of a line with more words than three, nobody knows where the method ends.
      if (is_token(method) && std::count(line.begin(), line.end(), ' ') == 2) {
        return {501, "an unknown method"};
      }
      return {400, "an invalid method"};
    case HPE_INVALID_URL:
      return {400, "an invalid target"};
    case HPE_INVALID_VERSION:
    case HPE_INVALID_CONSTANT:
      return {400, "an invalid version"};
    case HPE_INVALID_CONTENT_LENGTH:
    case HPE_UNEXPECTED_CONTENT_LENGTH:
      return {400, "an invalid Content-Length"};
    case HPE_INVALID_TRANSFER_ENCODING:
      return {400, "an invalid Transfer-Encoding"};
    default:
      return {400, "an invalid header section"};
  }
}

// The first line feed, or the end. Lines are short: a call of memchr for each costs more.
const char* find_feed(const char* at, const char* end) {
#ifdef __SSE2__
  const __m128i feeds = _mm_set1_epi8('\n');
  for (; end - at >= 16; at += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const int found = _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, feeds));
    if (found != 0) return at + std::countr_zero(static_cast<unsigned>(found));
  }
#endif
  while (at < end && *at != '\n') ++at;
  return at;
}

// Whether a request line ends in something like "HTTP/1.1".
bool ends_in_version(std::string_view line) {
  constexpr size_t kBytes = 10;  // with the line end
  return line.size() > kBytes && line.substr(line.size() - kBytes, 5) == "HTTP/";
}

Refusal judge_version(const Version& version) {
  if (version.minor == nullptr) return {400, "an invalid version"};
  if (version.major_digit > '1') return {505, "only HTTP/1.0 and HTTP/1.1 are served"};
  if (version.major_digit < '1') return {400, "an invalid version"};
  return {};
}

}  // namespace

bool HeadEnd::refuse(uint16_t status, std::string_view reason) {
  refusal_ = {status, reason};
  return false;
}

// Of a request line, whole or not: whether it may become one. Then it is waited for.
bool HeadEnd::judge_start(std::string_view input) {
  if (!input.empty() && !is_of(input[0], kTokenCharacter)) return refuse(400, "an invalid method");
  const std::string_view start = input.substr(0, kMethodBytesMax + 1);
  if (start.size() <= kMethodBytesMax || start.find_first_of(" \n") != std::string_view::npos)
    return true;
  return refuse(is_token(start) ? 501 : 400, "an unknown method");
}

// Whether so many bytes may belong to the line that begins behind `lines_` others.
bool HeadEnd::judge_length(size_t bytes, const HeadLimits& limits) {
  if (lines_ == 0 && bytes > limits.line_bytes_max) {
    return refuse(414, "the request line is too long");
  }
  if (bytes > limits.head_bytes_max) return refuse(431, "the header section is too long");
  return true;
}

// Every judgement is of a line or its beginning, so it does not matter where the stream is cut.
bool HeadEnd::find(std::string_view input, const HeadLimits& limits) {
  const char* const begin = input.data();
  const char* const end = begin + input.size();
  const char* line = begin + scanned_;
  if (lines_ == 0 && !judge_start(input)) return false;
  while (line < end) {
    const char* const feed = find_feed(line, end);
    if (feed == end) break;
    const auto bytes = static_cast<size_t>(feed + 1 - begin);
    if (!judge_length(bytes, limits)) return false;
    if (feed == line || feed[-1] != '\r') return refuse(400, "a line feed alone");
    scanned_ = static_cast<uint32_t>(bytes);
    if (feed == line + 1) return true;  // an empty line
    if (lines_ > 0 && (*line == ' ' || *line == '\t')) return refuse(400, "a folded line");
    if (*line == ':') return refuse(400, "a field without a name");
    // Of HTTP/0.9, nothing would follow.
    if (lines_ == 0 && !ends_in_version({line, bytes})) return refuse(400, "no version");
    ++lines_;
    line = feed + 1;
  }
  judge_length(input.size(), limits);
  return false;
}

Refusal read_head(std::span<char> bytes, const HeadLimits& limits, Head& into) {
  const std::string_view text(bytes.data(), bytes.size());
  const size_t line_bytes = text.find("\r\n");
  const std::string_view line = text.substr(0, line_bytes);
  const Version version = version_of(bytes.first(line.size()));
  if (version.minor != nullptr && version.major_digit == '1' && *version.minor > '1') {
    *version.minor = '1';
  }

  Reading reading;
  reading.fields_max = limits.fields_max;
  llhttp_t parser;
  llhttp_init(&parser, HTTP_REQUEST, &settings());
  parser.data = &reading;
  static const Execute execute = choose_execute();
  const int error = execute(&parser, bytes.data(), bytes.data() + bytes.size());
  if (error != HPE_PAUSED || !reading.complete) {
    if (reading.refusal) return reading.refusal;
    // A version that is not served is told apart only where the rest of the line is well-formed.
    const bool later = version.minor != nullptr && version.major_digit > '1';
    if (error == HPE_INVALID_VERSION && later) return judge_version(version);
    return refusal_of(parser, line);
  }
  if (llhttp_get_error_pos(&parser) != bytes.data() + bytes.size()) {
    return {400, "an invalid header section"};
  }
  if (const Refusal refusal = judge_version(version)) return refusal;

  // llhttp skips more blanks than one.
  const auto target_at = static_cast<size_t>(reading.target.data() - bytes.data());
  constexpr size_t kVersionBytes = 9;
  if (line.find(' ') + 1 != target_at ||
      target_at + reading.target.size() + kVersionBytes != line.size()) {
    return {400, "an invalid request line"};
  }
  const Method method = method_of(llhttp_get_method(&parser));
  if (method == Method::kConnect) return {501, "no tunnels here"};
  TargetParts parts;
  if (!split_target(reading.target, method, parts)) return {400, "an invalid target"};
  const bool old = llhttp_get_http_minor(&parser) == 0;
  if (!old && reading.hosts == 0) return {400, "no Host"};
  const bool coded = (parser.flags & F_TRANSFER_ENCODING) != 0 || reading.codings > 0;
  if (coded && (parser.flags & F_CONTENT_LENGTH) != 0) return {400, "two lengths"};
  if (coded && (old || !reading.chunked)) return {400, "a transfer coding that cannot be"};

  MessageFacts& facts = into.facts;
  facts = {};
  facts.head_bytes = static_cast<uint16_t>(bytes.size());
  facts.target_at = static_cast<uint16_t>(target_at + parts.path_at);
  facts.path_bytes = static_cast<uint16_t>(parts.path_bytes);
  facts.query_bytes = static_cast<uint16_t>(parts.query_bytes);
  facts.method = method;
  const bool keep = !reading.says_close && (!old || reading.says_keep_alive);
  const auto add = [&](bool holds, MessageFacts::Flag flag) {
    if (holds) facts.flags |= flag;
  };
  add(keep, MessageFacts::kKeepAlive);
  add(old, MessageFacts::kVersion10);
  add(parts.absolute, MessageFacts::kAbsoluteForm);
  add(reading.chunked, MessageFacts::kChunked);
  into.chunked = reading.chunked;
  into.content_bytes = reading.chunked ? 0 : parser.content_length;
  const bool has_content = reading.chunked || into.content_bytes > 0;
  add(reading.expects && has_content && !old, MessageFacts::kExpects);
  add(reading.upgrade && reading.says_upgrade && !old, MessageFacts::kUpgrade);
  return {};
}

bool is_known_method(std::string_view name) {
  if (name == "CONNECT") return false;
#define TRIREME_IS_METHOD(number, identifier, text) \
  if (name == #text) return true;
  HTTP_METHOD_MAP(TRIREME_IS_METHOD)
#undef TRIREME_IS_METHOD
  return false;
}

}}}  // namespace trireme::http
