// Step 1, who comes in: the listening sockets of one loop, and the rules by which clients are
// accepted there. The same for the Listener's loop and for I/O workers that accept themselves.
//
// Thread: the holder of the loop. A place among `connections_max` is taken before accept(2), so
// that loops which accept side by side do not exceed it, and no client leaves its backlog in vain.
//
// A driver that accepts by itself (kAccepted) takes clients out of the backlog before anybody has
// asked for a place. Those that find none wait here instead, with their descriptors, and are the
// first when there is one. They are few: at the first of them the sockets pause, so behind it come
// only those whom the kernel takes until the next wait has told it, which are as many as waited in
// the backlogs at that moment.
//
// It pauses - all its sockets leave the set, clients wait in the backlog - when accept(2) fails,
// when there are as many connections as allowed, and when memory is nearly used up. It goes on when
// it has its turn (Places::give_turn sends kMailResume), and after a back-off of 10 to 500 ms.
//
// Turns, where several loops have paused. Whatever becomes free wakes one of them, not all:
// 1. Each place that is left, and each descriptor that is closed, is the turn of one loop that
//    waits for such a thing, of each after the others.
// 2. The turn is over when the loop has taken a client, pauses again, or has failed. A loop that
//    has looked at its sockets and found nobody, although there is room, passes it on.
// 3. A loop waits for a place only if there was none after it had said so. So there are never more
//    free places than turns while a loop waits for one, and nobody waits in vain. (A failure breaks
//    that, for it tells nobody: whoever waits then has the back-off.)
#pragma once

#include <deque>
#include <vector>

#include "accept/accept_batch.h"
#include "connection/door.h"
#include "connection/listening.h"
#include "roster/server_context.h"
#include "runtime/event_loop.h"

namespace trireme { inline namespace v0 {

class LoopDoor final : public Door {
 public:
  // Both outlive it. `adopter` gets the clients.
  LoopDoor(ServerContext& context, EventLoop& loop, Adopter& adopter);
  // Nobody turns the loop any more. Closes what is still open: a server that did not start.
  ~LoopDoor() override;

  // Before start(). Owns the descriptor of a listening socket from now on, failed or not. 0 or
  // -errno. `listening`: whose clients come there. `is_shared`: an inherited socket, which may live
  // on elsewhere.
  int attach(uint32_t listening, int fd, bool is_shared = false);
  // Before start(). The clients of a listener are proxies, which tell whose connection it is: those
  // that it does not list are turned away, the others count for no address yet. It outlives us.
  void expect_proxies(uint32_t listening, const Listening& of);
  // Any thread, once it has started. The clients of a listener were counted by address here.
  bool counts_addresses(uint32_t listening) const NO_THREAD_SAFETY_ANALYSIS {
    return context_.options.connections_per_address_max > 0 && proxies_of(listening) == nullptr;
  }
  // Before start().
  bool empty() const NO_THREAD_SAFETY_ANALYSIS { return sockets_.empty(); }

  void handle_in_loop(const Completion& completion) override;
  void room_in_loop() override;
  TimePoint resume_in_loop() override;
  void stop_in_loop(bool take_waiting) override;
  void close_in_loop(uint32_t listening) override;
  bool stopped_in_loop() const override NO_THREAD_SAFETY_ANALYSIS { return open_count_ == 0; }

 private:
  struct Socket : Channel {
    uint32_t listening = 0;
    bool closed = false;
    AcceptBatch batch;
  };
  enum class Outcome { kTaken, kNobody, kPause };
  // Accepted, and not admitted: there was no place.
  struct Early {
    int fd;
    uint32_t listening;
    SocketAddress peer;
  };

  void accept_in_loop(Socket& socket) REQUIRES(loop_);
  Outcome accept_one_in_loop(const Socket& socket) REQUIRES(loop_);
  Outcome failed_in_loop(int error) REQUIRES(loop_);
  void take_accepted_in_loop(const Socket& socket, const Completion& completion) REQUIRES(loop_);
  void admit_early_in_loop() REQUIRES(loop_);
  void close_early_in_loop() REQUIRES(loop_);
  void close_socket_in_loop(Socket& socket, bool take_waiting) REQUIRES(loop_);
  bool enter_in_loop() REQUIRES(loop_);
  void admit_in_loop(int fd, const SocketAddress& peer, uint32_t listening) REQUIRES(loop_);
  void admit_known_in_loop(int fd, const SocketAddress& peer, uint32_t listening) REQUIRES(loop_);
  SocketAddress who_connects(int fd);
  bool over_limit() const;
  const Listening* proxies_of(uint32_t listening) const REQUIRES(loop_) {
    return listening < proxies_.size() ? proxies_[listening] : nullptr;
  }
  void turn_away_in_loop(int fd, const SocketAddress& peer, const Listening& of) REQUIRES(loop_);
  void pause_in_loop(bool failed) REQUIRES(loop_);
  void begin_turn_in_loop() REQUIRES(loop_);
  void pass_on_in_loop() REQUIRES(loop_);
  void log_failure(int error);
  void log_limit_in_loop() REQUIRES(loop_);

  ServerContext& context_;
  EventLoop& loop_;
  Books& books_;
  Adopter& adopter_;
  std::deque<Socket> sockets_ GUARDED_BY(loop_);
  size_t open_count_ GUARDED_BY(loop_) = 0;
  std::vector<const Listening*> proxies_ GUARDED_BY(loop_);  // by listener; null: of no proxies
  bool paused_ GUARDED_BY(loop_) = false;
  bool stopped_ GUARDED_BY(loop_) = false;
  bool takes_waiting_ GUARDED_BY(loop_) = true;  // until all channels have come back
  std::deque<Early> early_ GUARDED_BY(loop_);
  Duration back_off_ GUARDED_BY(loop_);
  int aborted_in_a_row_ GUARDED_BY(loop_) = 0;
  AcceptWait waits_for_ GUARDED_BY(loop_) = AcceptWait::kNothing;  // since the last pause
  AcceptWait turn_ GUARDED_BY(loop_) = AcceptWait::kNothing;       // what it is the turn of, if any
  uint64_t accepted_before_turn_ GUARDED_BY(loop_) = 0;
  TimePoint resume_at_ GUARDED_BY(loop_) = kNever;
};

}}  // namespace trireme
