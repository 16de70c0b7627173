#include "accept/loop_door.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "accept/accept_errors.h"
#include "runtime/check.h"
#include "runtime/system/unix_peer.h"

namespace trireme { inline namespace v0 {
namespace {

constexpr Duration kBackOffMin = std::chrono::milliseconds(10);
constexpr Duration kBackOffMax = std::chrono::milliseconds(500);
constexpr int kAbortedMax =
    16;  // lost clients in a row, after which accept(2) is given a rest, too
constexpr int kBacklogMax = 65536;  // clients that are taken at the end
constexpr int kWaitsMax = 100;      // until the channels have come back

}  // namespace

LoopDoor::LoopDoor(ServerContext& context, EventLoop& loop, Adopter& adopter)
    : context_(context),
      loop_(loop),
      books_(context.books(loop.index())),
      adopter_(adopter),
      back_off_(kBackOffMin) {}

LoopDoor::~LoopDoor() {
  loop_.assume_held();
  if (open_count_ == 0) return;
  stop_in_loop(false);
  Completion completion;
  // A driver that accepts by itself ends that in its waits.
  for (int waits = 0; open_count_ > 0 && waits < kWaitsMax; ++waits) {
    while (loop_.driver().next(completion)) handle_in_loop(completion);
    if (open_count_ > 0) loop_.wait(EventLoop::Wait::kNo, loop_.now());
  }
  CHECK_EQUAL(open_count_, 0u, "a listening socket is still open");
}

int LoopDoor::attach(uint32_t listening, int fd, bool is_shared) {
  loop_.assume_held();
  loop_.counters.descriptors_opened.add();
  Socket& socket = sockets_.emplace_back();
  socket.listening = listening;
  socket.is_shared = is_shared;
  const int result = loop_.driver().attach(socket, Channel::Role::kListener, fd);
  if (result < 0) {
    sockets_.pop_back();
  } else {
    ++open_count_;
  }
  return result;
}

void LoopDoor::expect_proxies(uint32_t listening, const Listening& of) {
  loop_.assume_held();
  if (proxies_.size() <= listening) proxies_.resize(listening + 1);
  proxies_[listening] = &of;
}

void LoopDoor::handle_in_loop(const Completion& completion) {
  loop_.assume_held();
  auto& socket = static_cast<Socket&>(*completion.channel);
  if (completion.kind == Completion::Kind::kAcceptable) return accept_in_loop(socket);
  if (completion.kind == Completion::Kind::kAccepted)
    return take_accepted_in_loop(socket, completion);
  CHECK(completion.kind == Completion::Kind::kClosed, "a listening socket only accepts");
  --open_count_;
}

void LoopDoor::accept_in_loop(Socket& socket) {
  const uint32_t tries_max = socket.batch.begin(loop_.counters.loop_turns.get());
  for (uint32_t tries = 0; tries < tries_max; ++tries) {
    const Outcome outcome = accept_one_in_loop(socket);
    if (outcome == Outcome::kNobody) return socket.batch.ran_dry(tries);
    if (outcome == Outcome::kPause) return;
  }
}

// Whoever was first is in, or gone.
LoopDoor::Outcome LoopDoor::accept_one_in_loop(const Socket& socket) {
  if (!enter_in_loop()) {
    pause_in_loop(false);
    return Outcome::kPause;
  }
  SocketAddress peer;
  const int fd = context_.platform.kernel.accept(socket.fd, peer);
  if (fd < 0) {
    const Outcome outcome = fd == -EAGAIN ? Outcome::kNobody : failed_in_loop(-fd);
    if (outcome == Outcome::kPause) {
      context_.places.give_back();
    } else {
      context_.places.leave();  // somebody may have paused because of this place
    }
    return outcome;
  }
  loop_.counters.descriptors_opened.add();
  admit_in_loop(fd, peer, socket.listening);
  return Outcome::kTaken;
}

LoopDoor::Outcome LoopDoor::failed_in_loop(int error) {
  if (error == EINTR) return Outcome::kTaken;  // try again
  if (accept_failure(error) == AcceptFailure::kNextClient && ++aborted_in_a_row_ < kAbortedMax)
    return Outcome::kTaken;
  books_.accept_failures.add();
  log_failure(error);
  pause_in_loop(true);
  return Outcome::kPause;
}

// The driver has accepted. Whoever was first is in, or gone, here too.
void LoopDoor::take_accepted_in_loop(const Socket& socket, const Completion& completion) {
  if (completion.result < 0) {
    failed_in_loop(-completion.result);
    return;
  }
  loop_.counters.descriptors_opened.add();
  Early& early = early_.emplace_back(Early{completion.result, socket.listening, {}});
  CHECK(completion.bytes.size() <= sizeof(early.peer.storage), "an address of no known family");
  std::memcpy(&early.peer.storage, completion.bytes.data(), completion.bytes.size());
  early.peer.size = static_cast<socklen_t>(completion.bytes.size());
  if (takes_waiting_) admit_early_in_loop();
  if (stopped_) close_early_in_loop();
}

void LoopDoor::admit_early_in_loop() {
  while (!early_.empty()) {
    if (enter_in_loop()) {
      const Early next = early_.front();
      early_.pop_front();
      admit_in_loop(next.fd, next.peer, next.listening);
      continue;
    }
    pause_in_loop(false);
    if (paused_ || stopped_) return;
  }
}

// The server ends without them.
void LoopDoor::close_early_in_loop() {
  for (const Early& early : early_) {
    context_.platform.kernel.close_socket(early.fd);
    loop_.counters.descriptors_closed.add();
  }
  early_.clear();
}

bool LoopDoor::enter_in_loop() {
  return !context_.buffers.nearly_full() && context_.places.enter();
}

void LoopDoor::admit_in_loop(int fd, const SocketAddress& peer, uint32_t listening) {
  if (peer.storage.ss_family != AF_UNIX) return admit_known_in_loop(fd, peer, listening);
  admit_known_in_loop(fd, who_connects(fd), listening);
}

// Has a place among all connections; is there one among those of its address?
void LoopDoor::admit_known_in_loop(int fd, const SocketAddress& peer, uint32_t listening) {
  back_off_ = kBackOffMin;
  aborted_in_a_row_ = 0;
  books_.accepted.add();
  const Listening* const proxies = proxies_of(listening);
  if (proxies != nullptr && ClientAddress::of(peer).is_of_internet() &&
      !proxies->proxy_senders.contains(peer))
    return turn_away_in_loop(fd, peer, *proxies);
  const size_t limit = proxies == nullptr ? context_.options.connections_per_address_max : 0;
  if (limit > 0 && !context_.addresses.enter(ClientAddress::of(peer), limit)) {
    books_.refused.add();
    context_.note_address_full(ClientAddress::of(peer), loop_.now());
    context_.platform.kernel.close_socket(fd);
    loop_.counters.descriptors_closed.add();
    return context_.places.leave();
  }
  adopter_.adopt_in_loop(fd, listening, peer);
}

// It is closed without a byte, before it has a slot.
void LoopDoor::turn_away_in_loop(int fd, const SocketAddress& peer, const Listening& of) {
  books_.adopted.add();
  books_.closed_by_reason[static_cast<size_t>(CloseReason::kLayerFailed)].add();
  context_.layer_gate.write(context_.log, LogLevel::kWarning, loop_.now(), [&] {
    return ClientAddress::of(peer).describe() + " of '" + std::string(of.name) +
           "' is turned away: proxy_from does not list it, so it may send no PROXY header";
  });
  context_.platform.kernel.close_socket(fd);
  loop_.counters.descriptors_closed.add();
  context_.places.leave();
}

// A client of a unix socket. One that the kernel does not tell of is served nonetheless.
SocketAddress LoopDoor::who_connects(int fd) {
  Credentials known;
  const bool told = context_.platform.kernel.peer_credentials(fd, known) == 0;
  return unix_peer(told ? std::optional(known) : std::nullopt);
}

bool LoopDoor::over_limit() const {
  return context_.places.is_full() || context_.buffers.nearly_full();
}

void LoopDoor::pause_in_loop(bool failed) {
  if (paused_ || stopped_) return;
  const AcceptWait waits_for = failed ? AcceptWait::kDescriptor : AcceptWait::kPlace;
  context_.places.note_accept_waits(loop_.index(), waits_for);
  if (!failed && !over_limit()) {  // something was freed before the note could be seen
    context_.places.note_accept_waits(loop_.index(), AcceptWait::kNothing);
    return;
  }
  paused_ = true;
  waits_for_ = waits_for;
  turn_ = AcceptWait::kNothing;
  if (!failed) log_limit_in_loop();
  books_.accept_pauses.add();
  resume_at_ = loop_.now() + back_off_;
  back_off_ = std::min(back_off_ * 2, kBackOffMax);
  for (Socket& socket : sockets_) {
    if (!socket.closed) loop_.driver().pause(socket);
  }
}

void LoopDoor::room_in_loop() {
  loop_.assume_held();
  if (stopped_) return;
  begin_turn_in_loop();
  if (paused_) resume_at_ = loop_.now();
}

void LoopDoor::begin_turn_in_loop() {
  turn_ = waits_for_;
  accepted_before_turn_ = books_.accepted.get();
}

// The sockets have been looked at since the turn began.
void LoopDoor::pass_on_in_loop() {
  const AcceptWait turn = std::exchange(turn_, AcceptWait::kNothing);
  const bool took_nobody = books_.accepted.get() == accepted_before_turn_;
  if (took_nobody && !over_limit()) context_.places.give_turn(turn);
}

TimePoint LoopDoor::resume_in_loop() {
  loop_.assume_held();
  if (!paused_) {
    if (turn_ != AcceptWait::kNothing) pass_on_in_loop();
    return kNever;
  }
  if (loop_.now() < resume_at_) return resume_at_;
  // Before asking: what is freed later is told.
  context_.places.note_accept_waits(loop_.index(), AcceptWait::kPlace);
  if (over_limit()) {
    waits_for_ = AcceptWait::kPlace;
    turn_ = AcceptWait::kNothing;
    resume_at_ = loop_.now() + kBackOffMax;
    return resume_at_;
  }
  context_.places.note_accept_waits(loop_.index(), AcceptWait::kNothing);
  paused_ = false;
  begin_turn_in_loop();  // without having been told, too, for others have not been either
  admit_early_in_loop();
  if (paused_) return resume_at_;  // it was not room enough for them
  for (Socket& socket : sockets_) {
    if (!socket.closed) loop_.driver().receive(socket);
  }
  return loop_.now();  // it looks at them before it sleeps, and then comes here again
}

void LoopDoor::stop_in_loop(bool take_waiting) {
  loop_.assume_held();
  takes_waiting_ = takes_waiting_ && take_waiting;
  if (stopped_) return;
  stopped_ = true;
  paused_ = false;
  context_.places.note_accept_waits(loop_.index(), AcceptWait::kNothing);
  if (take_waiting) admit_early_in_loop();
  close_early_in_loop();
  for (Socket& socket : sockets_) close_socket_in_loop(socket, take_waiting);
}

void LoopDoor::close_in_loop(uint32_t listening) {
  loop_.assume_held();
  for (Socket& socket : sockets_) {
    if (socket.listening == listening) close_socket_in_loop(socket, true);
  }
}

void LoopDoor::close_socket_in_loop(Socket& socket, bool take_waiting) {
  if (socket.closed) return;
  socket.closed = true;  // first: to take clients may pause the door
  for (int tries = 0; take_waiting && tries < kBacklogMax; ++tries) {
    if (accept_one_in_loop(socket) != Outcome::kTaken) break;
  }
  loop_.driver().close(socket);
}

// Clients wait in the backlog from now on.
void LoopDoor::log_limit_in_loop() {
  const bool full = context_.places.is_full();
  LogGate& gate = full ? context_.full_gate : context_.memory_gate;
  gate.write(context_.log, LogLevel::kWarning, loop_.now(), [&]() -> std::string {
    if (!full) return "three quarters of buffer_bytes_max are in use: further clients wait";
    return "connections_max is reached: " + std::to_string(context_.places.connections_max()) +
           " connections are open, further clients wait";
  });
}

void LoopDoor::log_failure(int error) {
  const TimePoint now = context_.platform.clock.now();
  context_.accept_gate.write(context_.log, LogLevel::kWarning, now, [&] {
    std::string line = "cannot accept: " + std::string(std::strerror(error));
    if (error == EMFILE)
      line += "; raise the descriptor limit (ulimit -n) or lower --connections-max";
    return line;
  });
}

}}  // namespace trireme
