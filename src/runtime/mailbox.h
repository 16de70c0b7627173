// Many threads to one loop: an unbounded-by-design list of owned messages, each sender bounded
// elsewhere.
//
// Step: below all steps. Threads: any may push; the holder of the loop takes all at once.
//
// 1. push links the mail in front (compare-and-swap), so the list is newest first; take_all
//    reverses it.
// 2. take_all empties the whole list: nothing is ever counted by wake-ups.
// 3. The mailbox owns what is in it. Mail that is left when it dies is destroyed.
//
// What bounds it: a job is in it at most once, an adopted socket counts against connections_max,
// and a push counts against the receiving connection's write limit before it is sent.
//
// Template over atomic and message so that a model checker can run this very code.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

namespace trireme { inline namespace v0 {

// Base of everything that travels to a loop. `kind` belongs to the receiver's vocabulary.
struct Mail {
  explicit Mail(int mail_kind) : kind(mail_kind) {}
  virtual ~Mail() = default;
  Mail(const Mail&) = delete;
  Mail& operator=(const Mail&) = delete;

  Mail* next = nullptr;  // owned by the mailbox or the list it is in
  const int kind;
};

// `Message` has a member `next` that points to a Message.
template <template <class> class Atomic = std::atomic, class Message = Mail>
class BasicMailbox {
 public:
  BasicMailbox() = default;
  ~BasicMailbox() { destroy(take_all()); }
  BasicMailbox(const BasicMailbox&) = delete;
  BasicMailbox& operator=(const BasicMailbox&) = delete;

  // Any thread. Takes ownership. Once the mailbox is closed, mail is destroyed at once.
  void push(Message* mail) {
    Message* head = head_.load(std::memory_order_relaxed);
    do {
      if (head == closed_mark()) {
        delete mail;
        return;
      }
      mail->next = head;
      // seq_cst: part of the sleep protocol with SleepWord, see sleep_word.h.
    } while (!head_.compare_exchange_weak(head, mail, std::memory_order_seq_cst,
                                          std::memory_order_relaxed));
  }

  // The holder. Everything pushed so far, oldest first, linked by `next`; the caller owns it.
  // Acquire: what the senders wrote before push.
  Message* take_all() { return reversed(head_.exchange(nullptr, std::memory_order_acquire)); }

  // The holder, when nobody will take mail again. What comes now has come too late: it must not
  // keep its bytes until the last sender has gone.
  void close() { destroy(reversed(head_.exchange(closed_mark(), std::memory_order_acquire))); }

  bool empty() const {
    const Message* head = head_.load(std::memory_order_seq_cst);
    return head == nullptr || head == closed_mark();
  }

 private:
  // Never dereferenced.
  static Message* closed_mark() { return reinterpret_cast<Message*>(uintptr_t{1}); }

  static Message* reversed(Message* newest) {
    if (newest == closed_mark()) return nullptr;
    Message* oldest = nullptr;
    while (newest != nullptr) {
      Message* older = newest->next;
      newest->next = oldest;
      oldest = newest;
      newest = older;
    }
    return oldest;
  }

  static void destroy(Message* mail) {
    while (mail != nullptr) {
      std::unique_ptr<Message> gone(mail);
      mail = mail->next;
    }
  }

  Atomic<Message*> head_{nullptr};
};

using Mailbox = BasicMailbox<>;

}}  // namespace trireme
