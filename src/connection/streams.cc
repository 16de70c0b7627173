#include "connection/streams.h"

#include <string>
#include <utility>

#include "connection/cancels.h"
#include "connection/ending.h"
#include "connection/finisher.h"
#include "connection/replies.h"
#include "connection/sender.h"
#include "runtime/check.h"
#include "runtime/memory/scarce.h"

namespace trireme { inline namespace v0 {

using Of = Framer::Part::Of;

void Streams::open(Connection& connection, StreamMail& mail) {
  const uint64_t number = mail.request_number;
  if (mail.what == StreamMail::What::kBegin) return begin(connection, mail);
  OpenStreams::Stream* const stream =
      connection.streams() == nullptr ? nullptr : connection.streams()->find(number);
  if (stream == nullptr || stream->core != mail.core) return refuse(mail);  // it was replaced
  switch (mail.what) {
    case StreamMail::What::kPiece:
      if (!with_memory([&] {
            stream->held.push_back({std::move(mail.bytes), std::move(mail.file)});
          })) {
        return parts_.ending.close(connection, CloseReason::kOutOfMemory);
      }
      break;
    case StreamMail::What::kEnd:
      stream->has_ended = true;
      break;
    default:
      return give_up(connection, number);
  }
  advance(connection, number);
}

void Streams::begin(Connection& connection, StreamMail& mail) {
  const uint64_t number = mail.request_number;
  if (!Replies::is_open(connection, number)) {
    parts_.books.stale_ids.add();
    return refuse(mail);
  }
  const OpenRequests::Entry* const entry = Replies::find(connection, number);
  const bool added = with_memory([&] {
    Connection::Rare& rare = connection.make_rare();
    if (rare.streams == nullptr) rare.streams = std::make_unique<OpenStreams>();
    OpenStreams::Stream& stream = rare.streams->add(number, mail.core, std::move(*mail.head));
    if (entry != nullptr) stream.tag = entry->mark.tag;
    stream.closes = stream.head.closes();
  });
  if (!added) {
    refuse(mail);
    return parts_.ending.close(connection, CloseReason::kOutOfMemory);
  }
  advance(connection, number);
}

// Its writer has dropped it.
void Streams::give_up(Connection& connection, uint64_t number) {
  if (replace(connection, number)) return;
  parts_.replies.answer(connection, number, detail::failed(Failure::kInternal, "internal"));
}

bool Streams::replace(Connection& connection, uint64_t number) {
  OpenStreams::Stream* const stream =
      connection.streams() == nullptr ? nullptr : connection.streams()->find(number);
  if (stream == nullptr) return false;
  if (stream->has_begun) {
    parts_.sender.cut(connection, CloseReason::kReplyCut);
    return true;
  }
  forget(connection, number);
  return false;
}

bool Streams::is_its_turn(const Connection& connection, uint64_t number) const {
  return connection.listening->is_unordered || connection.sequencer.is_next(number);
}

void Streams::advance(Connection& connection, uint64_t number) {
  if (is_its_turn(connection, number) && leave(connection, number))
    parts_.replies.leave_held(connection);
}

bool Streams::leave(Connection& connection, uint64_t number) {
  OpenStreams* const streams = connection.streams();
  OpenStreams::Stream* const stream = streams == nullptr ? nullptr : streams->find(number);
  if (stream == nullptr) return false;
  if (connection.life.is_muted() || connection.drops_reply(number)) {
    // Nobody hears it, and whoever writes it is told.
    const bool closes = stream->closes;
    forget(connection, number);
    parts_.replies.retire_streamed(connection, number);
    parts_.books.replies_dropped.add();
    if (closes) parts_.replies.end_behind(connection, CloseReason::kClosedByHandler);
    return true;
  }
  const bool is_ours = parts_.sender.owns_writing(connection);
  CHECK(is_ours, "a data worker writes while a reply is streamed");
  if (!write_all(connection, *stream)) {
    if (!connection.is_live()) return false;
    // A mistake of the codec: what is behind it is dropped.
    forget(connection, number);
    parts_.replies.retire_streamed(connection, number);
    return true;
  }
  if (!stream->has_ended) return false;
  end(connection, number);
  return connection.is_live();
}

// That is here. False: the connection is closed, or the codec has made a mistake.
bool Streams::write_all(Connection& connection, OpenStreams::Stream& stream) {
  if (!stream.has_begun) {
    stream.has_begun = true;
    if (!write(connection, stream, Of::kBegin, nullptr)) return false;
  }
  while (!stream.held.empty()) {
    OpenStreams::Piece piece = std::move(stream.held.front());
    stream.held.pop_front();
    if (!write(connection, stream, Of::kPiece, &piece)) return false;
  }
  return !stream.has_ended || write(connection, stream, Of::kEnd, nullptr);
}

// The same for a part of it.
bool Streams::write(Connection& connection, OpenStreams::Stream& stream, Of of,
                    OpenStreams::Piece* piece) {
  parts_.loop.assume_held();
  const uint64_t size = piece == nullptr ? 0 : piece->size();
  if (stream.drops_body) {
    stream.core->note_left(size, UINT64_MAX, parts_.context.platform.threads);
    return true;
  }
  Framer::Framed framed;
  std::string mistake;
  if (!parts_.replies.framer().frame_part(connection, {of, stream.tag, stream.head, size}, framed,
                                          mistake)) {
    parts_.replies.fail(connection, mistake);
    return false;
  }
  stream.closes = stream.closes || framed.closes;
  connection.note_replied(parts_.loop.now());
  // Counted before it can leave: what has left is counted down when the queue is.
  stream.queued += size;
  Sender& sender = parts_.sender;
  if (piece != nullptr && piece->file.file) {
    sender.write_file(connection, framed.head, piece->file, framed.tail);
  } else {
    sender.write(connection, framed.head);
    if (piece != nullptr && connection.is_live()) {
      sender.send_kept(connection, std::move(piece->bytes));
    }
    if (connection.is_live()) sender.write(connection, framed.tail);
  }
  if (!connection.is_live()) return false;
  if (of == Of::kBegin) stream.drops_body = framed.drops_body;
  const Limits& limits = connection.listening->options.limits;
  connection.streams()->note_unsent(connection.unsent(), limits.write_bytes_low,
                                    parts_.context.platform.threads);
  return true;
}

void Streams::end(Connection& connection, uint64_t number) {
  const bool closes = connection.streams()->find(number)->closes;
  forget(connection, number);
  parts_.replies.retire_streamed(connection, number);
  parts_.books.replies.add();
  if (closes) parts_.replies.end_behind(connection, CloseReason::kClosedByHandler);
}

// Its writer is told that nobody takes more.
void Streams::forget(Connection& connection, uint64_t number) {
  OpenStreams& streams = *connection.streams();
  streams.remove(number, parts_.context.platform.threads);
  if (!streams.empty()) return;
  connection.rare->streams.reset();
  connection.drop_empty_rare();
}

}}  // namespace trireme
