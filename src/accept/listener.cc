#include "accept/listener.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "accept/accept_errors.h"
#include "accept/endpoint.h"
#include "runtime/check.h"

namespace trireme::inline v0 {
namespace {

constexpr Duration kBackOffMin = std::chrono::milliseconds(10);
constexpr Duration kBackOffMax = std::chrono::milliseconds(500);
constexpr int kAbortedMax =
    16;  // lost clients in a row, after which accept(2) is given a rest, too

std::string why(int error) {
  if (error == EADDRINUSE)
    return "the address is in use by another process; choose another port or stop that one";
  if (error == EACCES) return "permission denied; ports below 1024 need CAP_NET_BIND_SERVICE";
  if (error == EADDRNOTAVAIL) return "this machine has no such address";
  return std::strerror(error);
}

}  // namespace

Listener::Listener(Core& core, std::vector<std::unique_ptr<Listening>>& listenings)
    : core_(core), loop_(core.listener_loop()), listenings_(listenings), back_off_(kBackOffMin) {}

Listener::~Listener() { CHECK(thread_ == nullptr, "the Listener was not stopped"); }

Result<Done> Listener::open() {
  loop_.assume_held();
  sockets_.resize(listenings_.size());
  placed_.resize(core_.io_workers());
  for (uint32_t index = 0; index < listenings_.size(); ++index) {
    Listening& listening = *listenings_[index];
    Result<int> fd = bind_socket(listening.url, listening.options.backlog, listening.url);
    int failed = 0;
    if (fd) {
      loop_.counters.descriptors_opened.add();
      sockets_[index].listening = index;
      failed = loop_.driver().attach(sockets_[index], Channel::Role::kListener, fd.value());
    }
    if (fd && failed == 0) continue;
    accept_backlog_in_loop();  // closes those that are open
    if (!fd) return fd.error();
    return Error{Error::Code::kSystem,
                 "cannot listen at '" + listening.url + "': " + why_not_watched(-failed)};
  }
  return Done{};
}

Result<int> Listener::bind_socket(const std::string& url, int backlog, std::string& real_url) {
  Result<Endpoint> endpoint = parse_endpoint(url);
  if (!endpoint) return endpoint.error();
  Kernel& kernel = core_.platform.kernel;
  SocketAddress address = endpoint.value().address;
  int fd = kernel.socket(address.storage.ss_family, SOCK_STREAM);
  if (endpoint.value().every_address && fd == -EAFNOSUPPORT) {
    address = any_ipv4(port_of(address));
    fd = kernel.socket(AF_INET, SOCK_STREAM);
  }
  if (fd < 0) return Error{Error::Code::kSystem, "cannot listen at '" + url + "': " + why(-fd)};
  // REUSEADDR: bind although connections of an earlier run are in TIME_WAIT. NODELAY is inherited
  // by accepted sockets.
  kernel.set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  kernel.set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  if (address.storage.ss_family == AF_INET6) {
    kernel.set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, endpoint.value().every_address ? 0 : 1);
  }
  int result = kernel.bind(fd, address);
  if (result == -EADDRNOTAVAIL && endpoint.value().every_address &&
      address.storage.ss_family == AF_INET6) {
    kernel.close(fd);  // IPv6 is compiled in but switched off
    address = any_ipv4(port_of(address));
    fd = kernel.socket(AF_INET, SOCK_STREAM);
    if (fd < 0) return Error{Error::Code::kSystem, "cannot listen at '" + url + "': " + why(-fd)};
    kernel.set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    kernel.set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    result = kernel.bind(fd, address);
  }
  if (result == 0) result = kernel.listen(fd, backlog);
  if (result == 0) result = kernel.local_address(fd, address);
  if (result < 0) {
    kernel.close(fd);
    return Error{Error::Code::kSystem, "cannot listen at '" + url + "': " + why(-result)};
  }
  real_url = to_url(address);
  return fd;
}

int Listener::start() {
  int error = 0;
  thread_ = core_.platform.threads.start(
      "listener", [this] { run(); }, error);
  return error;
}

void Listener::stop() {
  if (thread_ != nullptr) {
    loop_.post(std::make_unique<PlainMail>(kMailStop));
    thread_->join();
    thread_.reset();
  } else {
    loop_.assume_held();
    accept_backlog_in_loop();
  }
}

void Listener::run() {
  loop_.assume_held();
  while (!stopping_) turn_in_loop();
  accept_backlog_in_loop();
}

void Listener::turn_in_loop() {
  loop_.wait(EventLoop::Wait::kSleep, paused_ ? resume_at_ : kNever);
  for (Mail* next = loop_.take_mail(); next != nullptr;) {
    std::unique_ptr<Mail> mail(next);
    next = mail->next;
    if (mail->kind == kMailStop) stopping_ = true;
    if (mail->kind == kMailResume && paused_) resume_at_ = loop_.now();
  }
  Completion completion;
  while (loop_.driver().next(completion)) {
    if (completion.kind != Completion::Kind::kAccepted) continue;
    const auto& socket = static_cast<const Socket&>(*completion.channel);
    if (completion.result >= 0) {
      back_off_ = kBackOffMin;
      aborted_in_a_row_ = 0;
      on_accepted_in_loop(completion.result, *completion.peer, socket.listening);
      if (over_limit()) pause_in_loop(false);
    } else if (accept_failure(-completion.result) == AcceptFailure::kPause ||
               ++aborted_in_a_row_ >= kAbortedMax) {
      core_.accept_failures.add();
      log_failure(-completion.result);
      pause_in_loop(true);
    }
  }
  if (paused_ && loop_.now() >= resume_at_) resume_in_loop();
}

void Listener::on_accepted_in_loop(int fd, const SocketAddress& peer, uint32_t listening) {
  core_.accepted.add();
  const size_t limit = core_.options.connections_per_address_max;
  if (limit > 0 && !core_.enter_address(peer, limit)) {
    core_.refused.add();
    core_.platform.kernel.close(fd);
    loop_.counters.descriptors_closed.add();
    return;
  }
  core_.live_connections.add();
  core_.loop(place_in_loop()).post(std::make_unique<AdoptMail>(fd, listening, peer));
}

// The I/O worker with the fewest live connections.
uint32_t Listener::place_in_loop() {
  uint32_t best = 0;
  uint64_t best_live = UINT64_MAX;
  for (uint32_t index = 0; index < core_.io_workers(); ++index) {
    const LoopCounters& counters = core_.loop(index).counters;
    uint64_t gone = 0;
    for (const Counter& counter : counters.closed_by_reason) gone += counter.get();
    const uint64_t live = placed_[index] - std::min(gone, placed_[index]);
    if (live < best_live) {
      best_live = live;
      best = index;
    }
  }
  ++placed_[best];
  return best;
}

bool Listener::over_limit() const {
  return core_.live_connections.get() >= core_.connections_max() || core_.buffers.nearly_full();
}

void Listener::pause_in_loop(bool failed) {
  if (paused_) return;
  core_.accept_paused.store(true, std::memory_order_seq_cst);
  if (!failed && !over_limit()) {  // something was freed before the flag could be seen
    core_.accept_paused.store(false, std::memory_order_seq_cst);
    return;
  }
  paused_ = true;
  core_.accept_pauses.add();
  resume_at_ = loop_.now() + back_off_;
  back_off_ = std::min(back_off_ * 2, kBackOffMax);
  for (Socket& socket : sockets_) loop_.driver().pause(socket);
}

void Listener::resume_in_loop() {
  if (over_limit()) {
    core_.accept_paused.store(true, std::memory_order_seq_cst);
    resume_at_ = loop_.now() + kBackOffMax;
    return;
  }
  core_.accept_paused.store(false, std::memory_order_seq_cst);
  paused_ = false;
  for (Socket& socket : sockets_) loop_.driver().receive(socket);
}

// The end: clients that wait in the backlog would be reset by closing the socket, so they are taken
// first.
void Listener::accept_backlog_in_loop() {
  Kernel& kernel = core_.platform.kernel;
  for (Socket& socket : sockets_) {
    if (socket.fd < 0) continue;
    for (int tries = 0; stopping_ && !over_limit() && tries < 65536; ++tries) {
      SocketAddress peer;
      const int fd = kernel.accept(socket.fd, peer);
      if (fd >= 0) {
        loop_.counters.descriptors_opened.add();
        on_accepted_in_loop(fd, peer, socket.listening);
      } else if (fd != -EINTR && (fd == -EAGAIN || accept_failure(-fd) == AcceptFailure::kPause)) {
        break;
      }
    }
    loop_.driver().close(socket);
  }
  Completion completion;
  while (loop_.driver().next(completion)) {  // kClosed of each: then the channels may go
  }
  sockets_.clear();
  loop_.driver().swap_read_buffer(Block());
}

void Listener::log_failure(int error) {
  uint64_t suppressed = 0;
  if (!gate_.open(core_.platform.clock.now(), suppressed)) return;
  std::string line = "cannot accept: " + std::string(std::strerror(error));
  if (error == EMFILE)
    line += "; raise the descriptor limit (ulimit -n) or lower --connections-max";
  if (suppressed > 0) line += " (" + std::to_string(suppressed) + " more)";
  core_.log.warning(line);
}

}  // namespace trireme
