// What travels to a loop through its mailbox: the vocabulary of I/O workers.
//
// Step 5, and the seams between threads. Thread: made by any, opened by the holder of the loop.
#pragma once

#include <string>
#include <utility>

#include "roster/mail_kinds.h"
#include "runtime/memory/buffers.h"
#include "runtime/system/kernel.h"
#include "trireme/answer.h"
#include "trireme/peer.h"

namespace trireme { inline namespace v0 {

// Bytes with their place in the budget.
class ChargedBytes {
 public:
  ChargedBytes() = default;
  // `budget` was charged with bytes.size() before.
  ChargedBytes(std::string bytes, Buffers& budget)
      : bytes_(std::move(bytes)), charge_(budget, bytes_.size()) {}

  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
  Charge charge_;
};

struct AnswerMail final : Mail {
  AnswerMail(ConnectionId to, uint64_t number, Answer given)
      : Mail(kMailAnswer), id(to), request_number(number), answer(std::move(given)) {}
  ConnectionId id;
  uint64_t request_number;
  Answer answer;  // owned bytes only
};

struct PushMail final : Mail {
  PushMail(ConnectionId to, ChargedBytes data, Overflow policy)
      : Mail(kMailPush), id(to), bytes(std::move(data)), overflow(policy) {}
  ConnectionId id;
  ChargedBytes bytes;
  Overflow overflow;
};

struct CloseMail final : Mail {
  explicit CloseMail(ConnectionId to) : Mail(kMailClose), id(to) {}
  ConnectionId id;
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
