// Goal: what a load reads of a server - replies of HTTP, frames of WebSocket - is the same wherever
// the stream is cut, and every piece that it tells of lies in the stream. Method: libFuzzer; the
// first byte says which protocol it is, and how the stream is cut.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "load/http_reply.h"
#include "load/websocket_reply.h"
#include "runtime/system/random.h"

namespace {

void demand(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "fuzz: %s\n", what);
  std::abort();
}

// False: nothing can be read any more.
bool tell(load::HttpReplyReader& reader, std::string_view& bytes, std::string& told, bool& more) {
  using Found = load::HttpReplyReader::Found;
  const Found found = reader.next(bytes);
  more = found != Found::kMore;
  if (found == Found::kContent) told += reader.content();
  if (found == Found::kReply) {
    told += "|" + std::to_string(reader.status()) + " " + std::to_string(reader.content_bytes()) +
            (reader.ends_connection() ? "!" : "");
  }
  if (found == Found::kFault) told += "fault";
  return found != Found::kFault;
}

bool tell(load::WebSocketReader& reader, std::string_view& bytes, std::string& told, bool& more) {
  using Found = load::WebSocketReader::Found;
  const Found found = reader.next(bytes);
  more = found != Found::kMore;
  if (found == Found::kPayload || found == Found::kPing) told += reader.payload();
  if (found == Found::kPing) {
    demand(reader.payload().size() <= 125, "a Ping that is too long");
    told += "ping";
  }
  if (found == Found::kMessage) told += "|" + std::to_string(reader.message_bytes());
  if (found == Found::kClose || found == Found::kFault) {
    told += found == Found::kClose ? "close" : "fault";
    return false;
  }
  return true;
}

template <class Reader>
std::string read(std::string_view stream, trireme::Random* random) {
  Reader reader;
  std::string told;
  while (!stream.empty()) {
    const size_t size = random == nullptr ? stream.size() : 1 + random->below(9);
    // In memory of its own size: the sanitizer sees what is read behind it.
    const std::vector<char> piece(
        stream.begin(), stream.begin() + static_cast<long>(std::min(size, stream.size())));
    stream.remove_prefix(piece.size());
    std::string_view bytes(piece.data(), piece.size());
    for (bool more = true; more;) {
      if (!tell(reader, bytes, told, more)) return told;
    }
    demand(bytes.empty(), "it leaves bytes behind");
  }
  return told;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0 || size > 60'000) return 0;
  const std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  trireme::Random random(data[0]);
  const bool is_http = data[0] % 2 == 0;
  const std::string whole = is_http ? read<load::HttpReplyReader>(stream, nullptr)
                                    : read<load::WebSocketReader>(stream, nullptr);
  const std::string cut = is_http ? read<load::HttpReplyReader>(stream, &random)
                                  : read<load::WebSocketReader>(stream, &random);
  demand(whole == cut, "the replies depend on where the stream is cut");
  return 0;
}
