// Step 4, handling: the part of a request that may be too long for memory, as its handler reads it.
//
// Thread: the one that runs the handler.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace trireme { inline namespace v0 {

// Why there is no more of a body, although it has not ended.
enum class BodyFailure : uint8_t {
  kNone = 0,
  kGone,      // the client is gone, or its connection ends for another reason
  kCut,       // the client has ended its stream in the midst of the body
  kRefused,   // the codec has refused what has come
  kTooSlow,   // fewer bytes came than Limits::stream_rate_min
  kDeadline,  // the deadline of the request has passed
  kNoPermit,  // it would have to wait, and its handler has no permit for that (docs/streams.md)
  kDisk,      // the file that it was gathered in cannot be read
};

// What the on_body of a session is told.
struct BodyPart {
  std::span<const char> bytes{};             // borrowed for the call; may be empty
  bool ends = false;                         // that was all
  BodyFailure failure = BodyFailure::kNone;  // else: no more will come
};

namespace detail {

// Where a body comes from. For the server.
class BodySource {
 public:
  virtual ~BodySource() = default;
  // The handler's thread.
  virtual size_t read(std::span<char> into) = 0;
  virtual bool ended() const = 0;
  virtual BodyFailure failure() const = 0;
  virtual std::optional<uint64_t> size() const = 0;
};

}  // namespace detail

// The body of a request whose codec reads requests in parts (DecodedFrame::body). All others have
// an empty one. A value that copies: each copy reads on where the last read has ended. It is
// borrowed as the request is.
//
//   char bytes[4096];
//   while (const size_t count = request.body().read(bytes)) file.write(bytes, count);
//   if (!request.body().ended()) return tr::error("the rest has not come");
class Body {
 public:
  // For the server. Null: it is empty.
  explicit Body(detail::BodySource* source) : source_(source) {}

  // Any thread, that of the handler. Reads up to into.size() bytes, as many as are there. If there
  // are none it waits for the client, until some come, the body ends, or there is a failure. 0:
  // that was all, or `into` is empty. While it waits the loop goes on without it. A drain does not
  // end the wait: who has begun a request may end it, until connections are cut.
  size_t read(std::span<char> into) { return source_ == nullptr ? 0 : source_->read(into); }

  // Any thread, that of the handler. All of it was read.
  bool ended() const { return source_ == nullptr || source_->ended(); }
  // Any thread, that of the handler. Why read() has returned 0 before the end.
  BodyFailure failure() const {
    return source_ == nullptr ? BodyFailure::kNone : source_->failure();
  }
  // Any thread, that of the handler. Of all of it, if it is known: it was gathered before the
  // handler started.
  std::optional<uint64_t> size() const {
    return source_ == nullptr ? std::optional<uint64_t>(0) : source_->size();
  }

 private:
  detail::BodySource* source_;
};

}}  // namespace trireme
