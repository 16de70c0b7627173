// A body whose handler has started: it reads while the parts come.
//
// Steps 3 and 4. Threads: as IncomingBody. Guarded by a mutex that is held for a copy at most; who
// waits is woken without it. Bounded: body_bytes_ahead_max bytes and one part; they are charged to
// the budget.
//
//   holder: put, end, fail  --> wakes the handler, if that waits
//   handler: read           --> mails the loop when half of the room is free, if that waits
#pragma once

#include <string>

#include "handling/incoming_body.h"
#include "roster/server_context.h"
#include "runtime/threads/annotations.h"
#include "runtime/threads/mutex.h"
#include "runtime/threads/threads.h"

namespace trireme { inline namespace v0 {

class BodyPipe final : public IncomingBody {
 public:
  BodyPipe(ServerContext& context, ConnectionId id, size_t bytes_max)
      : context_(context), id_(id), bytes_max_(bytes_max) {}
  ~BodyPipe() override;
  BodyPipe(const BodyPipe&) = delete;
  BodyPipe& operator=(const BodyPipe&) = delete;

  void read_by(Job& job) override;
  [[nodiscard]] bool put(std::string_view part) override EXCLUDES(mutex_);
  void end() override EXCLUDES(mutex_);
  void fail(BodyFailure why) override EXCLUDES(mutex_);
  bool awaits_room() override EXCLUDES(mutex_);
  bool abandon(bool was_started) override EXCLUDES(mutex_);

  size_t read(std::span<char> into) override EXCLUDES(mutex_);
  bool ended() const override EXCLUDES(mutex_);
  BodyFailure failure() const override EXCLUDES(mutex_);
  std::optional<uint64_t> size() const override { return {}; }

 private:
  // What a look at the pipe has led to.
  enum class Look : uint8_t {
    kBytes,
    kOver,
    kMustWait,
    kMustRetry,  // likewise, and soon: there was no memory for a mail
  };

  Look look(std::span<char> into, size_t& count) EXCLUDES(mutex_);
  size_t take(std::span<char> into) REQUIRES(mutex_);
  size_t held() const REQUIRES(mutex_) { return bytes_.size() - begin_; }
  void wake_reader();
  bool mail_loop();

  ServerContext& context_;
  const ConnectionId id_;
  const size_t bytes_max_;
  ParkSpot* reader_ = nullptr;  // the holder's; of the job that reads

  mutable Mutex mutex_;
  std::string bytes_ GUARDED_BY(mutex_);
  size_t begin_ GUARDED_BY(mutex_) = 0;           // in front of it they were read
  bool ended_ GUARDED_BY(mutex_) = false;         // all parts were put
  bool reader_waits_ GUARDED_BY(mutex_) = false;  // it parks, or is about to
  bool loop_waits_ GUARDED_BY(mutex_) = false;    // for room
  BodyFailure failure_ GUARDED_BY(mutex_) = BodyFailure::kNone;
  bool is_abandoned_ = false;  // the holder's
};

}}  // namespace trireme
