#include "handling/body_pipe.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

#include "handling/job.h"
#include "runtime/check.h"
#include "runtime/memory/scarce.h"

namespace trireme { inline namespace v0 {

BodyPipe::~BodyPipe() {
  MutexLock lock(mutex_);
  context_.buffers.discharge(held());
}

void BodyPipe::read_by(Job& job) { reader_ = &job.cancellation.spot(); }

// The job is the holder's to recycle, so its spot is there.
void BodyPipe::wake_reader() {
  if (reader_ != nullptr) context_.platform.threads.unpark(*reader_);
}

bool BodyPipe::put(std::string_view part) {
  if (part.empty() || is_abandoned_) return true;
  if (!context_.buffers.charge(part.size())) return false;
  bool wakes = false;
  const bool kept = with_memory([&] {
    MutexLock lock(mutex_);
    if (begin_ >= bytes_.size() / 2) {
      bytes_.erase(0, begin_);
      begin_ = 0;
    }
    bytes_.append(part);
    wakes = std::exchange(reader_waits_, false);
  });
  if (!kept) context_.buffers.discharge(part.size());
  if (wakes) wake_reader();
  return kept;
}

void BodyPipe::end() {
  bool wakes = false;
  {
    MutexLock lock(mutex_);
    ended_ = true;
    wakes = std::exchange(reader_waits_, false);
  }
  if (wakes) wake_reader();
}

void BodyPipe::fail(BodyFailure why) {
  bool wakes = false;
  {
    MutexLock lock(mutex_);
    if (ended_ || failure_ != BodyFailure::kNone) return;
    failure_ = why;
    wakes = std::exchange(reader_waits_, false);
  }
  if (wakes) wake_reader();
}

bool BodyPipe::awaits_room() {
  MutexLock lock(mutex_);
  if (held() < bytes_max_) return false;
  loop_waits_ = true;
  return true;
}

bool BodyPipe::abandon(bool /*was_started*/) {
  reader_ = nullptr;
  is_abandoned_ = true;
  MutexLock lock(mutex_);
  context_.buffers.discharge(held());
  std::string().swap(bytes_);
  begin_ = 0;
  return false;
}

bool BodyPipe::ended() const {
  MutexLock lock(mutex_);
  return ended_ && held() == 0;
}

BodyFailure BodyPipe::failure() const {
  MutexLock lock(mutex_);
  return failure_;
}

size_t BodyPipe::take(std::span<char> into) {
  const size_t count = std::min(into.size(), held());
  std::memcpy(into.data(), bytes_.data() + begin_, count);
  begin_ += count;
  if (held() == 0) {
    bytes_.clear();
    begin_ = 0;
  }
  context_.buffers.discharge(count);
  return count;
}

// Bytes that came in time are read before a failure is told.
BodyPipe::Look BodyPipe::look(std::span<char> into, size_t& count) {
  bool mails = false;
  {
    MutexLock lock(mutex_);
    count = take(into);
    mails = loop_waits_ && held() <= bytes_max_ / 2;
    if (mails) loop_waits_ = false;
    if (count == 0 && (ended_ || failure_ != BodyFailure::kNone)) return Look::kOver;
    reader_waits_ = count == 0;
  }
  const bool is_mailed = !mails || mail_loop();
  if (!is_mailed) {
    MutexLock lock(mutex_);
    loop_waits_ = true;
  }
  if (count > 0) return Look::kBytes;
  return is_mailed ? Look::kMustWait : Look::kMustRetry;
}

// False: there was no memory for that.
bool BodyPipe::mail_loop() {
  std::unique_ptr<Mail> mail(new (std::nothrow) BodyMail(id_));
  if (mail == nullptr) return false;
  context_.post(id_, std::move(mail));
  return true;
}

size_t BodyPipe::read(std::span<char> into) {
  if (into.empty()) return 0;
  Outbox* const outbox = Outbox::current();
  Job* const job = outbox != nullptr ? static_cast<Job*>(outbox->owner) : nullptr;
  size_t count = 0;
  while (true) {
    const Look looked = look(into, count);
    if (looked == Look::kBytes) return count;
    if (looked == Look::kOver) return 0;
    if (job == nullptr || !job->may_wait_on_streams()) {
      fail(BodyFailure::kNoPermit);
      return 0;
    }
    job->loan.give_away();
    CancelSignal& signal = job->cancellation;
    const TimePoint now = context_.platform.clock.now();
    if (signal.has_expired(now)) {
      signal.wait_until(context_.platform, now);  // tells all who want to know
      fail(BodyFailure::kDeadline);
      continue;
    }
    const TimePoint again = looked == Look::kMustRetry ? time_after(now, kRetryMemory) : kNever;
    context_.platform.threads.park(signal.spot(), std::min(signal.deadline(), again));
  }
}

}}  // namespace trireme
