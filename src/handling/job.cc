#include "handling/job.h"

#include <array>
#include <cerrno>
#include <functional>
#include <utility>

namespace trireme::inline v0 {

// Directly after the handler has returned, on its thread. A view is copied here, unless it is of
// the request, whose bytes live on: other bytes may change or go as soon as user code runs again.
void Job::answer(Answer given) {
  const std::string_view view = given.text();
  const std::less_equal<const char*> not_after;
  const bool in_request = not_after(bytes.data(), view.data()) &&
                          not_after(view.data() + view.size(), bytes.data() + bytes.size());
  if (!given.is_owned() && !view.empty() && !in_request) {
    outbox.answer_bytes.assign(view);
    given = std::move(given).with_view(outbox.answer_bytes);
  }
  outbox.answer.emplace(std::move(given));
}

Reply Job::take_reply() {
  reply_taken = true;
  return Reply(id, number, CoreRef(core));
}

void Job::run() noexcept {
  outbox.connection = id;
  outbox.request_number = job_kind == JobKind::kRequest ? number : 0;
  thread_slot = &outbox;
  try {
    switch (job_kind) {
      case JobKind::kOpen:
        session = service->open(Peer(id, CoreRef(core)));
        break;
      case JobKind::kRequest:
        service->on_request(session, Request(bytes, request_kind, id, core, cancelled), *this);
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
    if (job_kind == JobKind::kRequest && !reply_taken) outbox.answer.emplace(error("internal"));
  }
  thread_slot = nullptr;
}

bool Job::write_directly(Kernel& kernel) {
  const bool plain = outbox.answer && outbox.answer->kind() == Answer::Kind::kBytes &&
                     !outbox.answer->closes() && outbox.answer->next_codec() == nullptr &&
                     outbox.mail.empty();
  if (!plain || !write_token.begin()) return false;
  const std::string_view body = outbox.answer->text();
  const Envelope envelope = codec->envelope(body.size());
  const std::array<std::string_view, 3> pieces = {
      std::string_view(envelope.head.data(), envelope.head_bytes), body,
      std::string_view(envelope.tail.data(), envelope.tail_bytes)};
  std::array<iovec, 3> vectors;
  size_t count = 0, total = 0;
  for (const std::string_view piece : pieces) {
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

}  // namespace trireme
