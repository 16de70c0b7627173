// The payloads of permessage-deflate (RFC 7692, 7.2), without a context that lasts. zlib's states
// are large, 44 KB to inflate and 260 KB to deflate, so connections borrow them for one message.
//
// Step 3 and 5. Thread: any. Bounded: what inflating makes, while it is made; kIdleMax states.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace trireme { inline namespace v0 { namespace http {

class Deflating {
 public:
  static constexpr size_t kIdleMax = 4;  // states of each sort that wait for the next message

  enum class Outcome : uint8_t { kDone, kCorrupt, kTooBig };

  Deflating();
  ~Deflating();
  Deflating(const Deflating&) = delete;
  Deflating& operator=(const Deflating&) = delete;

  // Any thread. Appends the message to `into`, at most `bytes_max` bytes.
  Outcome inflate_message(std::string_view payload, size_t bytes_max, std::string& into);
  // Any thread. The payload of a message, with a window of 2 to the `window_bits`: 9 to 15.
  std::string deflate_message(std::string_view message, int window_bits);

 private:
  class Inflater;
  class Deflater;

  std::unique_ptr<Inflater> take_inflater();
  std::unique_ptr<Deflater> take_deflater(int window_bits);

  std::mutex mutex_;  // for a pointer in or out; nothing is done under it
  std::vector<std::unique_ptr<Inflater>> inflaters_;
  std::vector<std::unique_ptr<Deflater>> deflaters_;  // of the full window
};

}}}  // namespace trireme::http
