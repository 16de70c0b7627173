#include "handling/job.h"

#include <array>
#include <functional>
#include <memory>
#include <utility>

#include "reply/envelope_guard.h"
#include "runtime/check.h"

namespace trireme { inline namespace v0 {

void Job::prefetch() const {
  constexpr size_t kLine = 64;
  const char* const begin = reinterpret_cast<const char*>(this);
  for (size_t line = 0; line < kLinesOfEveryRun; ++line) __builtin_prefetch(begin + line * kLine);
  __builtin_prefetch(&requests.number);
  __builtin_prefetch(requests.all.data() + 1);
  __builtin_prefetch(replies.data());
}

void Job::begin() {
  outbox.connection = run.id;
  outbox.request_number = 0;
  outbox.owner = this;
  thread_slot = &outbox;
}

// Inline, as gather is: run once a request, each from one place.
inline void Job::run_request() {
  const DecodedRequest& asked = requests.all[requests.run];
  outbox.request_number = requests.number + requests.run;
  ++requests.run;
  run.service->on_request(run.session,
                          Request(asked.payload, asked.kind, run.id, run.context, cancellation,
                                  cancellation.view(), requests.attached),
                          *this);
  if (run.reply_taken) gather_early_reply();
}

// What the function owns is the user's: it ends on this thread, too.
void Job::run_call() {
  const std::unique_ptr<CallMail> mail = std::move(event.call);
  mail->call->run(run.session);
}

void Job::run_body() {
  const RelayedPart part = std::exchange(event.part, {});
  run.service->on_body(run.session,
                       {.bytes = part.bytes, .ends = part.ends, .failure = part.failure});
}

bool Job::run_next() noexcept {
  try {
    switch (run.kind) {
      case JobKind::kRequest:
        run_request();
        break;
      case JobKind::kOpen:
        run.session = run.service->open(Peer(run.id, ContextRef(run.context)));
        break;
      case JobKind::kTimer:
        run.service->on_timer(run.session, event.tag);
        break;
      case JobKind::kCall:
        run_call();
        break;
      case JobKind::kStop:
        while (const std::unique_ptr<Stop> stop = event.stops.pop()) stop->fire();
        break;
      case JobKind::kSpool:
        event.gathered->write_out();
        break;
      case JobKind::kBody:
        run_body();
        break;
      case JobKind::kWritable:
        run.service->on_writable(run.session);
        break;
      case JobKind::kEnd:
        run.service->on_end(run.session);
        break;
      case JobKind::kDrain:
        run.service->on_drain(run.session);
        break;
      case JobKind::kClose:
        event.left.clear();
        run.service->on_close(run.session, run.close_reason);
        break;
    }
  } catch (...) {
    run.threw = true;
    log_thrown();
    if (run.kind == JobKind::kRequest && !run.reply_taken && replies.count() < requests.run) {
      if (outbox.has_answer()) {
        outbox.close_behind_answer();  // it was given, and what it has promised may be true
      } else {
        outbox.put(detail::failed(Failure::kInternal, "internal"));
      }
    }
  }
  if (requests.run == requests.count || cancellation.runs_no_more() || run.threw ||
      replies.count() != requests.run || outbox.has_mail()) {
    return false;
  }
  replies.publish();
  return true;
}

// Frames a small plain answer behind the others. Inline: run once a request, from `answer`.
[[gnu::always_inline]] inline bool Job::gather(const Answer& given) {
  if (!replies.is_on() || !given.is_plain() || outbox.has_mail()) return false;
  const std::string_view body = given.text();
  if (body.size() >= kAloneBytesMin && requests.count == 1) return false;
  return replies.add(body, *run.envelopes, *run.codec);
}

// It was answered through its Reply before its handler returned.
void Job::gather_early_reply() {
  if (!outbox.has_answer() || outbox.has_mail() || !gather(outbox.answer())) return;
  outbox.take_back_answer();
  run.reply_taken = false;
}

// Directly after the handler has returned, on its thread. Borrowed bytes are copied here, unless
// they are of the request, which live on: others may change or go as soon as user code runs again.
void Job::answer(Answer&& given) {
  CHECK(replies.count() < requests.run && !outbox.has_answer(), "a request is answered twice");
  if (!gather(given)) keep_answer(std::move(given));
}

void Job::keep_answer(Answer&& given) {
  const std::string_view view = given.text();
  const std::string_view bytes = requests.last_run().payload;
  const std::less_equal<const char*> not_after;
  const bool in_request = not_after(bytes.data(), view.data()) &&
                          not_after(view.data() + view.size(), bytes.data() + bytes.size());
  if (!given.keeps_bytes() && !view.empty() && !in_request) {
    outbox.put_copy(std::move(given));
  } else {
    outbox.put(std::move(given));
  }
}

Reply Job::take_reply() {
  run.reply_taken = true;
  return Reply(run.id, outbox.request_number, ContextRef(run.context), cancellation.deadline());
}

bool Job::pieces(Envelope& envelope, DirectWrite::Pieces& into) const {
  into = {replies.text()};
  if (!outbox.has_answer()) return true;
  const std::string_view body = outbox.answer().text();
  if (!ask_envelope(*run.codec, body.size(), envelope)) return false;
  into[1] = {envelope.head.data(), envelope.head_bytes};
  into[2] = body;
  into[3] = {envelope.tail.data(), envelope.tail_bytes};
  return true;
}

bool Job::has_simple_answers() const {
  if (run.threw || requests.count == 0 || outbox.has_mail()) return false;
  if (!outbox.has_answer()) return replies.count() == requests.count && !replies.text().empty();
  const Answer& alone = outbox.answer();
  return requests.count == 1 && alone.is_plain() && alone.text().size() >= kAloneBytesMin;
}

bool Job::write_directly(Kernel& kernel) {
  // Every request that ran must have its answer here: one whose Reply was kept may be answered
  // through the loop at this moment, and needs the send direction there.
  const bool all =
      requests.run > 0 && replies.count() + (outbox.has_answer() ? 1 : 0) == requests.run;
  const bool plain =
      all && !outbox.has_mail() && (!outbox.has_answer() || outbox.answer().is_plain());
  if (!plain || cancellation.missed_deadline()) return false;
  Envelope envelope;
  DirectWrite::Pieces left;
  return pieces(envelope, left) && direct.send(kernel, left);
}

}}  // namespace trireme
