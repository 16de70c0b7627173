// What travels to a loop through its mailbox: the vocabulary of I/O workers.
//
// Step 5, and the seams between threads. Thread: made by any, opened by the holder of the loop.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "reply/charged_bytes.h"
#include "reply/stream_core.h"
#include "roster/mail_kinds.h"
#include "runtime/memory/buffers.h"
#include "runtime/system/clock.h"
#include "runtime/system/kernel.h"
#include "trireme/answer.h"
#include "trireme/detail/session_call.h"
#include "trireme/peer.h"

namespace trireme { inline namespace v0 {

// What is for one connection, which may be gone when it is opened. All mail of outboxes is of this
// kind.
struct ConnectionMail : Mail {
  ConnectionMail(MailKind what, ConnectionId to) : Mail(what), id(to) {}
  const ConnectionId id;
};

struct AnswerMail final : ConnectionMail {
  AnswerMail(ConnectionId to, uint64_t number, Answer given)
      : ConnectionMail(kMailAnswer, to), request_number(number), answer(std::move(given)) {}
  uint64_t request_number;
  Answer answer;  // kept bytes only
};

struct PushMail final : ConnectionMail {
  PushMail(ConnectionId to, ChargedBytes data, Overflow policy)
      : ConnectionMail(kMailPush, to), bytes(std::move(data)), overflow(policy) {}
  // `of_answer` holds the bytes of the answer if they are shared; else `charge` is what they cost.
  PushMail(ConnectionId to, Answer given, ChargedBytes of_answer, Charge costs, Overflow policy)
      : ConnectionMail(kMailPush, to),
        bytes(std::move(of_answer)),
        overflow(policy),
        answer(std::move(given)),
        charge(std::move(costs)) {}

  // What a push of these bytes holds until it has left: for small ones the mail is most of it, and
  // room that a string keeps costs as much as bytes do.
  static size_t cost_of(const std::string& bytes) {
    return sizeof(PushMail) + std::max(bytes.size(), bytes.capacity());
  }
  static size_t cost_of(const Answer& answer) {
    return sizeof(PushMail) + answer.text().size() + answer.head().size();
  }
  // What is counted as on its way.
  size_t size() const { return answer ? answer->text().size() : bytes.text().size(); }

  ChargedBytes bytes;
  Overflow overflow;
  std::optional<Answer> answer;  // to be framed, in place of `bytes`; kept bytes only
  Charge charge;
};

// A part of a streamed reply.
struct StreamMail final : ConnectionMail {
  enum class What : uint8_t { kBegin, kPiece, kEnd, kDrop };

  StreamMail(What part, ConnectionId to, uint64_t number, std::shared_ptr<StreamCore> of)
      : ConnectionMail(kMailStream, to), what(part), request_number(number), core(std::move(of)) {}

  const What what;
  const uint64_t request_number;
  const std::shared_ptr<StreamCore> core;
  std::optional<Answer> head;  // kBegin; kept bytes only
  ChargedBytes bytes;          // kPiece: these, or a part of a file
  FileRange file;
};

struct CloseMail final : ConnectionMail {
  explicit CloseMail(ConnectionId to) : ConnectionMail(kMailClose, to) {}
};

struct EndMail final : ConnectionMail {
  explicit EndMail(ConnectionId to) : ConnectionMail(kMailEnd, to) {}
};

// Somebody waits for room: in the write queue, or in the byte budget.
struct RoomMail final : ConnectionMail {
  RoomMail(ConnectionId to, bool lacks_memory)
      : ConnectionMail(kMailRoom, to), of_budget(lacks_memory) {}
  bool of_budget;
};

// A handler has made room for more of the body that it reads.
struct BodyMail final : ConnectionMail {
  explicit BodyMail(ConnectionId to) : ConnectionMail(kMailBody, to) {}
};

// Sets, moves or cancels a timer of a session.
struct TimerMail final : ConnectionMail {
  TimerMail(ConnectionId to, uint64_t name, TimePoint time)
      : ConnectionMail(kMailTimer, to), tag(name), due(time) {}
  uint64_t tag;
  TimePoint due;  // kNever: it is cancelled
};

// Something to be run in the turn of a session.
struct CallMail final : ConnectionMail {
  CallMail(ConnectionId to, std::unique_ptr<detail::SessionCall> what, Charge costs)
      : ConnectionMail(kMailCall, to), call(std::move(what)), charge(std::move(costs)) {}
  std::unique_ptr<detail::SessionCall> call;
  Charge charge;
};

// Calls that will not be run, oldest first, linked by Mail::next: they are destroyed with it.
class CallList {
 public:
  explicit CallList(Mail* first = nullptr) : first_(first) {}
  CallList(CallList&& other) noexcept : first_(std::exchange(other.first_, nullptr)) {}
  CallList& operator=(CallList&& other) noexcept {
    std::swap(first_, other.first_);
    return *this;
  }
  ~CallList() { clear(); }

  void clear() {
    while (first_ != nullptr) {
      const std::unique_ptr<Mail> gone(first_);
      first_ = gone->next;
    }
  }

 private:
  Mail* first_;  // owned
};

struct AdoptMail final : Mail {
  AdoptMail(int descriptor, uint32_t listening_index, const SocketAddress& address)
      : Mail(kMailAdopt), fd(descriptor), listening(listening_index), peer(address) {}
  int fd;  // owned: the one who opens the mail attaches or closes it
  uint32_t listening;
  SocketAddress peer;
};

struct UnlistenMail final : Mail {
  explicit UnlistenMail(uint32_t index) : Mail(kMailUnlisten), listening(index) {}
  uint32_t listening;
};

}}  // namespace trireme
