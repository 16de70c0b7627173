#include "accept/listener.h"

#include <algorithm>
#include <new>
#include <utility>

#include "reply/mail.h"
#include "runtime/check.h"

namespace trireme { inline namespace v0 {

Listener::Listener(ServerContext& context)
    : context_(context),
      loop_(context.listener_loop()),
      books_(context.books(loop_.index())),
      door_(context, context.listener_loop(), *this),
      placed_(context.io_workers()) {}

// A server that did not start has files, too. Its sockets are open still.
Listener::~Listener() {
  CHECK(thread_ == nullptr, "the Listener was not stopped");
  endpoints_.remove_files(context_.platform.kernel, context_.log);
}

int Listener::start() {
  if (door_.empty()) return 0;
  int error = 0;
  thread_ = context_.platform.threads.start(
      "listener", [this] { run(); }, error);
  return error;
}

void Listener::stop() {
  endpoints_.remove_files(context_.platform.kernel, context_.log);
  if (door_.empty()) return;
  if (thread_ != nullptr) {
    loop_.post(std::make_unique<PlainMail>(kMailStop));
    thread_->join();
    thread_.reset();
  } else {
    loop_.assume_held();
    door_.stop_in_loop(false);
    end_in_loop();
  }
}

void Listener::run() {
  loop_.assume_held();
  // Clients that wait a moment longer are accepted together; each wake-up between would cost the
  // loops two switches.
  context_.platform.threads.wait_its_turn();
  while (!stopping_) turn_in_loop();
  door_.stop_in_loop(true);
  end_in_loop();
}

void Listener::turn_in_loop() {
  loop_.wait(EventLoop::Wait::kSleep, door_.resume_in_loop());
  for (Mail* next = loop_.take_mail(); next != nullptr;) {
    std::unique_ptr<Mail> mail(next);
    next = mail->next;
    if (mail->kind == kMailStop) stopping_ = true;
    if (mail->kind == kMailResume) door_.room_in_loop();
    if (mail->kind == kMailUnlisten) {
      door_.close_in_loop(static_cast<UnlistenMail&>(*mail).listening);
    }
  }
  Completion completion;
  while (loop_.driver().next(completion)) door_.handle_in_loop(completion);
}

// Every channel comes back; then there is nothing more to read.
void Listener::end_in_loop() {
  Completion completion;
  while (loop_.driver().next(completion)) door_.handle_in_loop(completion);
  loop_.driver().swap_read_buffer(Block());
}

void Listener::adopt_in_loop(int fd, uint32_t listening, const SocketAddress& peer) {
  loop_.assume_held();
  std::unique_ptr<AdoptMail> mail(new (std::nothrow) AdoptMail(fd, listening, peer));
  if (mail == nullptr) {
    context_.platform.kernel.close_socket(fd);
    books_.adopted.add();
    loop_.counters.descriptors_closed.add();
    books_.closed_by_reason[static_cast<size_t>(CloseReason::kOutOfMemory)].add();
    if (door_.counts_addresses(listening)) context_.addresses.leave(ClientAddress::of(peer));
    return context_.places.leave();
  }
  context_.loop(place_in_loop()).post(std::move(mail));
}

// The I/O worker with the fewest live connections, those that it has accepted itself included.
uint32_t Listener::place_in_loop() {
  uint32_t best = 0;
  uint64_t best_live = UINT64_MAX;
  for (uint32_t index = 0; index < context_.io_workers(); ++index) {
    const Books& books = context_.books(index);
    uint64_t gone = books.refused.get();
    for (const Counter& counter : books.closed_by_reason) gone += counter.get();
    const uint64_t came = placed_[index] + books.accepted.get();
    const uint64_t live = came - std::min(gone, came);
    if (live < best_live) {
      best_live = live;
      best = index;
    }
  }
  ++placed_[best];
  return best;
}

}}  // namespace trireme
