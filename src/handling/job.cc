#include "handling/job.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <functional>
#include <type_traits>
#include <utility>

#include "reply/envelope_guard.h"
#include "runtime/check.h"

namespace trireme { inline namespace v0 {
namespace {

bool is_plain(const Answer& answer) {
  return answer.kind() == Answer::Kind::kBytes && !answer.closes() &&
         answer.next_codec() == nullptr;
}

// Most answers are short, and then a call costs more than the copy: the first and the last bytes,
// which may overlap.
void copy(char* to, std::string_view bytes) {
  const size_t size = bytes.size();
  const char* from = bytes.data();
  const auto ends = [&](auto part) {
    decltype(part) first, last;
    std::memcpy(&first, from, sizeof(part));
    std::memcpy(&last, from + size - sizeof(part), sizeof(part));
    std::memcpy(to, &first, sizeof(part));
    std::memcpy(to + size - sizeof(part), &last, sizeof(part));
  };
  if (size > 32) {
    std::memcpy(to, from, size);
  } else if (size > 16) {
    ends(std::array<uint64_t, 2>{});
  } else if (size >= 8) {
    ends(uint64_t{});
  } else if (size >= 4) {
    ends(uint32_t{});
  } else if (size > 0) {
    to[0] = from[0];
    to[size / 2] = from[size / 2];
    to[size - 1] = from[size - 1];
  }
}

}  // namespace

char* Job::room_for(size_t bytes) {
  static_assert(std::is_trivially_copyable_v<Asked>);
  const size_t room = (kRequestsMax - requests_count) * sizeof(Asked);
  return bytes <= room ? reinterpret_cast<char*>(requests.data() + requests_count) : nullptr;
}

void Job::prefetch() const {
  constexpr size_t kLine = 64;
  const char* const begin = reinterpret_cast<const char*>(this);
  for (size_t line = 0; line < kLinesOfEveryRun; ++line) __builtin_prefetch(begin + line * kLine);
  __builtin_prefetch(requests.data());
  __builtin_prefetch(replies.data());
}

void Job::begin() {
  outbox.connection = id;
  outbox.request_number = 0;
  outbox.job = this;
  thread_slot = &outbox;
}

void Job::end(void* outside) { thread_slot = outside; }

void Job::begin_times(const Platform& platform, TimePoint now) {
  begun = now;
  if (cpu_timed) cpu_time = platform.threads.cpu_time(platform.threads.current_id());
}

void Job::end_times(const Platform& platform) {
  time = platform.clock.now() - begun;
  if (cpu_timed) {
    cpu_time = platform.threads.cpu_time(platform.threads.current_id()) - cpu_time;
  }
}

void Job::give_loop_away() {
  if (lent_by == nullptr || asked_as == lent_as) return;
  asked_as = lent_as;
  lent_by->asked.store(lent_as, std::memory_order_seq_cst);  // partner: Watchdog::look
  lent_by->wake_watcher();
}

void Job::cancel(CancelReason reason, Threads& threads) {
  uint8_t none = 0;
  if (cancelled.compare_exchange_strong(none, static_cast<uint8_t>(reason),
                                        std::memory_order_relaxed)) {
    threads.unpark(cancel_spot);
  }
}

bool Job::wait_until(Threads& threads, Clock& clock, TimePoint until) {
  while (cancelled.load(std::memory_order_relaxed) == 0) {
    const TimePoint now = clock.now();
    if (has_expired(now)) {
      cancel(CancelReason::kDeadline, threads);
    } else if (now >= until) {
      return true;
    } else {
      threads.park(cancel_spot, std::min(until, deadline));
    }
  }
  return false;
}

// Inline, as gather is: run once a request, each from one place.
inline void Job::run_request() {
  const Asked& asked = requests[requests_run];
  outbox.request_number = number + requests_run;
  ++requests_run;
  service->on_request(session, Request(asked.payload, asked.kind, id, context, cancelled), *this);
  if (reply_taken) gather_early_reply();
}

bool Job::run_next() noexcept {
  try {
    switch (job_kind) {
      case JobKind::kRequest:
        run_request();
        break;
      case JobKind::kOpen:
        session = service->open(Peer(id, ContextRef(context)));
        break;
      case JobKind::kDrain:
        service->on_drain(session);
        break;
      case JobKind::kClose:
        service->on_close(session, close_reason);
        break;
    }
  } catch (...) {
    threw = true;
    log_thrown();
    if (job_kind == JobKind::kRequest && !reply_taken && replies_count < requests_run) {
      outbox.put(error("internal"));
    }
  }
  if (requests_run == requests_count || run_no_more.load(std::memory_order_relaxed) || threw ||
      replies_count != requests_run || outbox.has_mail()) {
    return false;
  }
  published.publish(replies_count, replies_bytes);
  return true;
}

// Frames a small plain answer behind the others.
inline bool Job::gather(const Answer& given) {
  if (!gathers || !is_plain(given) || outbox.has_mail()) return false;
  const std::string_view body = given.text();
  if (body.size() >= kAloneBytesMin && requests_count == 1) return false;
  constexpr size_t kEnvelopeBytesMax = sizeof(Envelope::head) + sizeof(Envelope::tail);
  if (body.size() + kEnvelopeBytesMax > replies.size() - replies_bytes) return false;
  Envelope made;
  if (fixed_envelope == nullptr && !ask_envelope(*codec, body.size(), made)) return false;
  last_reply_begin = replies_bytes;
  const Envelope& around = fixed_envelope != nullptr ? *fixed_envelope : made;
  char* const begin = replies.data() + replies_bytes;
  // There is room for head and tail at their full size: copies of a constant size are no calls.
  std::memcpy(begin, around.head.data(), around.head.size());
  char* const text = begin + around.head_bytes;
  copy(text, body);
  char* const tail = text + body.size();
  std::memcpy(tail, around.tail.data(), around.tail.size());
  replies_bytes += static_cast<uint32_t>(tail + around.tail_bytes - begin);
  ++replies_count;
  return true;
}

// It was answered through its Reply before its handler returned.
void Job::gather_early_reply() {
  if (!outbox.has_answer() || outbox.has_mail() || !gather(outbox.answer())) return;
  outbox.take_back_answer();
  reply_taken = false;
}

// Directly after the handler has returned, on its thread. A view is copied here, unless it is of
// the request, whose bytes live on: other bytes may change or go as soon as user code runs again.
void Job::answer(Answer&& given) {
  CHECK(replies_count < requests_run && !outbox.has_answer(), "a request is answered twice");
  if (!gather(given)) keep_answer(std::move(given));
}

void Job::keep_answer(Answer&& given) {
  const std::string_view view = given.text();
  const std::string_view bytes = requests[requests_run - 1].payload;
  const std::less_equal<const char*> not_after;
  const bool in_request = not_after(bytes.data(), view.data()) &&
                          not_after(view.data() + view.size(), bytes.data() + bytes.size());
  if (!given.is_owned() && !view.empty() && !in_request) {
    outbox.put_copy(std::move(given));
  } else {
    outbox.put(std::move(given));
  }
}

Reply Job::take_reply() {
  reply_taken = true;
  return Reply(id, outbox.request_number, ContextRef(context));
}

bool Job::pieces(Envelope& envelope, std::array<std::string_view, 4>& into) const {
  into = {std::string_view(replies.data(), replies_bytes)};
  if (!outbox.has_answer()) return true;
  const std::string_view body = outbox.answer().text();
  if (!ask_envelope(*codec, body.size(), envelope)) return false;
  into[1] = {envelope.head.data(), envelope.head_bytes};
  into[2] = body;
  into[3] = {envelope.tail.data(), envelope.tail_bytes};
  return true;
}

bool Job::has_simple_answers() const {
  if (threw || requests_count == 0 || outbox.has_mail()) return false;
  if (!outbox.has_answer()) return replies_count == requests_count && replies_bytes > 0;
  const Answer& alone = outbox.answer();
  return requests_count == 1 && is_plain(alone) && alone.text().size() >= kAloneBytesMin;
}

bool Job::write_directly(Kernel& kernel) {
  // Every request that ran must have its answer here: one whose Reply was kept may be answered
  // through the loop at this moment, and needs the send direction there.
  const bool all =
      requests_run > 0 && replies_count + (outbox.has_answer() ? 1 : 0) == requests_run;
  const bool plain =
      all && !outbox.has_mail() && (!outbox.has_answer() || is_plain(outbox.answer()));
  if (!plain || missed_deadline()) return false;
  Envelope envelope;
  std::array<std::string_view, 4> all_pieces;
  if (!pieces(envelope, all_pieces) || !write_token.begin()) return false;
  std::array<iovec, 4> vectors;
  size_t count = 0, total = 0;
  for (const std::string_view piece : all_pieces) {
    if (piece.empty()) continue;
    vectors[count++] = {const_cast<char*>(piece.data()), piece.size()};
    total += piece.size();
  }
  if (total > 0) {
    ssize_t sent = 0;
    do {
      sent = kernel.send(fd, std::span(vectors).first(count));
    } while (sent == -EINTR);
    // What is short, or failed, is the loop's business when the job has come home.
    if (sent > 0) written_bytes = static_cast<size_t>(sent);
    if (sent < 0 && sent != -EAGAIN) write_error = static_cast<int>(sent);
  }
  write_token.done();
  return written_bytes == total && write_error == 0;
}

}}  // namespace trireme
