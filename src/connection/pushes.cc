#include "connection/pushes.h"

#include <array>
#include <new>
#include <utility>

#include "connection/clocks.h"
#include "connection/ending.h"
#include "connection/replies.h"
#include "connection/turn.h"
#include "runtime/memory/scarce.h"

namespace trireme { inline namespace v0 {

// A handler is at work whose answer comes before all that is sent meanwhile.
bool Pushes::is_about_to_switch(const Connection& connection) {
  for (const Job* job = connection.running; job != nullptr; job = job->home.next_running) {
    if (job->outbox.holds_pushes()) return true;
  }
  return false;
}

// One that was deferred had come before what has ended its connection since.
void Pushes::open(std::unique_ptr<PushMail> mail, bool was_deferred) {
  Connection* const connection = parts_.slots.find(mail->id);
  const bool is_late = connection != nullptr && !was_deferred &&
                       !connection->life.takes_pushes(connection->is_at_work());
  const bool is_early = connection != nullptr && !is_late &&
                        (connection->is_shaking() || is_about_to_switch(*connection) ||
                         !parts_.sender.owns_writing(*connection) ||
                         Streams::is_in_midst(*connection));
  if (is_early) {
    Connection::Rare& rare = connection->make_rare();
    Mail* const waits = mail.release();
    (rare.deferred == nullptr ? rare.deferred : rare.deferred_last->next) = waits;
    rare.deferred_last = waits;
    return;
  }
  SlotRecord* record = parts_.context.roster.record(mail->id);
  if (record != nullptr) record->transit_bytes.fetch_sub(mail->size(), std::memory_order_relaxed);
  if (connection == nullptr || is_late || connection->life.is_lingering()) return;
  // Sent behind Peer::end, or behind the last answer.
  if (!connection->life.is_output_open() || connection->life.is_muted()) return;
  if (connection->clocks.silent && connection->listening->push_is_activity)
    parts_.clocks.end_silence(*connection);
  parts_.sender.flush(*connection);
  if (!connection->is_live()) return;
  const bool full = connection->unsent() > connection->listening->options.limits.write_bytes_high;
  if (full && mail->overflow == Overflow::kClose)
    return parts_.ending.close(*connection, CloseReason::kSlowConsumer);
  if (mail->answer) {
    send_framed(*connection, *mail);
  } else {
    send_bytes(*connection, *mail);
  }
}

void Pushes::send_bytes(Connection& connection, PushMail& mail) {
  if (mail.overflow == Overflow::kLatest)
    return parts_.sender.send_latest(connection, {&mail.bytes, 1});
  parts_.sender.send_push(connection, std::move(mail.bytes));
  if (connection.is_live()) parts_.turn.schedule(connection);
}

// The bytes of its answer are `mail.bytes`, which many connections share: what this one has around
// them stands in pieces of its own.
void Pushes::send_shared(Connection& connection, const Framer::Framed& framed, PushMail& mail) {
  std::array<ChargedBytes, 3> pieces;
  if (!join(connection, {framed.head}, pieces[0]) || !join(connection, {framed.tail}, pieces[2])) {
    return;
  }
  pieces[1] = std::move(mail.bytes);
  if (mail.overflow == Overflow::kLatest) return parts_.sender.send_latest(connection, pieces);
  for (ChargedBytes& piece : pieces) {
    if (connection.is_live()) parts_.sender.send_kept(connection, std::move(piece));
  }
  if (connection.is_live()) parts_.turn.schedule(connection);
}

// With the codec that the connection speaks now.
void Pushes::send_framed(Connection& connection, PushMail& mail) {
  Answer answer = std::move(*mail.answer);
  Framer::Framed framed;
  bool closes = false;
  if (!frame(connection, answer, framed, closes)) return;
  if (framed.drops_body) answer = std::move(answer).with_view({});
  if (answer.is_shared()) {
    send_shared(connection, framed, mail);
  } else {
    mail.charge = Charge();  // of the answer, in whose place they come
    if (!join(connection, {framed.head, answer.text(), framed.tail}, mail.bytes)) return;
    send_bytes(connection, mail);
  }
  if (closes && connection.is_live())
    parts_.ending.finish(connection, CloseReason::kClosedByHandler);
}

// What goes around it; of an error or a refusal, the codec's reply in its place. False: the codec
// has made a mistake.
bool Pushes::frame(Connection& connection, Answer& answer, Framer::Framed& framed, bool& closes) {
  std::string mistake;
  bool is_framed = false;
  if (answer.kind() != Answer::Kind::kBytes) {
    ErrorReply reply;
    if (!Framer::ask_error_reply(connection, {}, answer, reply, mistake)) {
      parts_.replies.fail(connection, mistake);
      return false;
    }
    closes = reply.close;
    is_framed = reply.is_framed || reply.body.empty();
    answer = Answer(std::move(reply.body));
  }
  if (!is_framed &&
      !parts_.replies.framer().frame(connection, {}, answer, framed, mistake, Framer::Of::kPush)) {
    parts_.replies.fail(connection, mistake);
    return false;
  }
  closes = closes || framed.closes;
  return true;
}

// False: there is no memory, and the connection is closed.
bool Pushes::join(Connection& connection, std::initializer_list<std::string_view> pieces,
                  ChargedBytes& into) {
  size_t size = 0;
  for (const std::string_view piece : pieces) size += piece.size();
  Buffers& buffers = parts_.context.buffers;
  std::string all;
  if (buffers.charge(size)) {
    if (with_memory([&] {
          all.reserve(size);
          for (const std::string_view piece : pieces) all.append(piece);
        })) {
      into = ChargedBytes(std::move(all), buffers);
      return true;
    }
    buffers.discharge(size);
  }
  parts_.ending.close(connection, CloseReason::kOutOfMemory);
  return false;
}

void Pushes::send_now(Connection& connection, std::string bytes) {
  const size_t size = bytes.size();
  const bool affords = parts_.context.buffers.charge(size);
  std::unique_ptr<PushMail> mail;
  if (affords) {
    ChargedBytes charged(std::move(bytes), parts_.context.buffers);
    mail.reset(new (std::nothrow) PushMail(connection.id, std::move(charged), Overflow::kReject));
  }
  if (mail == nullptr) return parts_.ending.close(connection, CloseReason::kOutOfMemory);
  SlotRecord& record = parts_.context.roster.record(parts_.loop.index(), connection.id.slot());
  record.transit_bytes.fetch_add(size, std::memory_order_relaxed);
  open(std::move(mail));
}

void Pushes::open_all(Connection& connection) {
  for (Mail* next = std::exchange(connection.rare->deferred, nullptr); next != nullptr;) {
    std::unique_ptr<PushMail> mail(static_cast<PushMail*>(next));
    next = std::exchange(mail->next, nullptr);
    open(std::move(mail), true);
  }
}

}}  // namespace trireme
