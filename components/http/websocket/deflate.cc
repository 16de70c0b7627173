#include "http/websocket/deflate.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <new>

namespace trireme { inline namespace v0 { namespace http {

namespace {

constexpr int kWindowBitsMax = 15;
constexpr std::string_view kTail("\0\0\xff\xff", 4);  // what a sender leaves out

Bytef* bytes_of(std::string_view text) {  // zlib does not write to what it reads
  return reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
}

}  // namespace

class Deflating::Inflater {
 public:
  Inflater() {
    if (inflateInit2(&stream_, -kWindowBitsMax) != Z_OK) throw std::bad_alloc();
  }
  ~Inflater() { inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  Outcome run(std::string_view payload, size_t bytes_max, std::string& into) {
    inflateReset(&stream_);
    for (const std::string_view piece : {payload, kTail}) {
      stream_.next_in = bytes_of(piece);
      stream_.avail_in = static_cast<uInt>(piece.size());
      const Outcome outcome = run_piece(bytes_max, into);
      if (outcome != Outcome::kDone) return outcome;
    }
    return Outcome::kDone;
  }

 private:
  Outcome run_piece(size_t bytes_max, std::string& into) {
    std::array<char, 16 << 10> buffer;
    do {
      stream_.next_out = reinterpret_cast<Bytef*>(buffer.data());
      stream_.avail_out = static_cast<uInt>(buffer.size());
      const int status = inflate(&stream_, Z_SYNC_FLUSH);
      if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR) {
        return Outcome::kCorrupt;
      }
      const size_t made = buffer.size() - stream_.avail_out;
      if (made > bytes_max - std::min(into.size(), bytes_max)) return Outcome::kTooBig;
      into.append(buffer.data(), made);
      // A final block, after which further blocks may follow (RFC 7692, 7.2.3.5).
      if (status == Z_STREAM_END) inflateReset(&stream_);
      if (made == 0 && status == Z_BUF_ERROR) break;
    } while (stream_.avail_in > 0 || stream_.avail_out == 0);
    return Outcome::kDone;
  }

  z_stream stream_{};
};

class Deflating::Deflater {
 public:
  explicit Deflater(int window_bits) {
    constexpr int kMemoryLevel = 8;
    if (deflateInit2(&stream_, Z_BEST_SPEED, Z_DEFLATED, -window_bits, kMemoryLevel,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
      throw std::bad_alloc();
    }
  }
  ~Deflater() { deflateEnd(&stream_); }
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;

  std::string run(std::string_view message) {
    deflateReset(&stream_);
    std::string made(deflateBound(&stream_, static_cast<uLong>(message.size())) + 16, '\0');
    stream_.next_in = bytes_of(message);
    stream_.avail_in = static_cast<uInt>(message.size());
    size_t bytes = 0;
    do {
      if (bytes == made.size()) made.resize(made.size() * 2);
      stream_.next_out = reinterpret_cast<Bytef*>(made.data() + bytes);
      stream_.avail_out = static_cast<uInt>(made.size() - bytes);
      deflate(&stream_, Z_SYNC_FLUSH);
      bytes = made.size() - stream_.avail_out;
    } while (stream_.avail_out == 0);
    made.resize(bytes);
    if (made.ends_with(kTail)) made.resize(bytes - kTail.size());
    return made;
  }

 private:
  z_stream stream_{};
};

Deflating::Deflating() = default;
Deflating::~Deflating() = default;

std::unique_ptr<Deflating::Inflater> Deflating::take_inflater() {
  {
    const std::lock_guard lock(mutex_);
    if (!inflaters_.empty()) {
      std::unique_ptr<Inflater> taken = std::move(inflaters_.back());
      inflaters_.pop_back();
      return taken;
    }
  }
  return std::make_unique<Inflater>();
}

std::unique_ptr<Deflating::Deflater> Deflating::take_deflater(int window_bits) {
  if (window_bits == kWindowBitsMax) {
    const std::lock_guard lock(mutex_);
    if (!deflaters_.empty()) {
      std::unique_ptr<Deflater> taken = std::move(deflaters_.back());
      deflaters_.pop_back();
      return taken;
    }
  }
  return std::make_unique<Deflater>(window_bits);
}

Deflating::Outcome Deflating::inflate_message(std::string_view payload, size_t bytes_max,
                                              std::string& into) {
  std::unique_ptr<Inflater> inflater = take_inflater();
  const Outcome outcome = inflater->run(payload, bytes_max, into);
  const std::lock_guard lock(mutex_);
  if (inflaters_.size() < kIdleMax) inflaters_.push_back(std::move(inflater));
  return outcome;
}

std::string Deflating::deflate_message(std::string_view message, int window_bits) {
  std::unique_ptr<Deflater> deflater = take_deflater(window_bits);
  std::string made = deflater->run(message);
  if (window_bits != kWindowBitsMax) return made;
  const std::lock_guard lock(mutex_);
  if (deflaters_.size() < kIdleMax) deflaters_.push_back(std::move(deflater));
  return made;
}

}}}  // namespace trireme::http
