#include "latency/both_ends.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load/clocks.h"

namespace bench {
namespace {

void set_no_delay(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

}  // namespace

std::unique_ptr<BothEnds> BothEnds::open(uint64_t bytes, double rate) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof(address);
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int server = -1;
  if (listener >= 0 && client >= 0 && bind(listener, any, size) == 0 && listen(listener, 1) == 0 &&
      getsockname(listener, any, &size) == 0 && connect(client, any, size) == 0)
    server = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  if (listener >= 0) close(listener);
  if (server < 0) {
    if (client >= 0) close(client);
    return nullptr;
  }
  set_no_delay(client);
  set_no_delay(server);
  return std::unique_ptr<BothEnds>(new BothEnds(client, server, bytes, rate));
}

BothEnds::BothEnds(int client, int server, uint64_t bytes, double rate)
    : client_(client),
      server_(server),
      message_(bytes, '\0'),
      arrived_(bytes, '\0'),
      interval_ns_(rate > 0 ? load::kNanosecondsPerSecond / rate : 0) {
  for (uint64_t i = 0; i < bytes; ++i) message_[i] = static_cast<char>('a' + i % 26);
}

BothEnds::~BothEnds() {
  close(client_);
  close(server_);
}

// Blocking sockets: the bytes of a send are in the other's queue when it returns.
bool BothEnds::carry(int from, int to) {
  const auto size = static_cast<ssize_t>(message_.size());
  return send(from, message_.data(), message_.size(), MSG_NOSIGNAL) == size &&
         recv(to, arrived_.data(), arrived_.size(), MSG_WAITALL) == size && arrived_ == message_;
}

void BothEnds::run_until(int64_t deadline_ns) {
  int64_t now = load::now_ns();
  if (start_ns_ == 0) start_ns_ = now;
  while (now < deadline_ns) {
    int64_t due = now;
    if (interval_ns_ > 0) {
      due = start_ns_ + static_cast<int64_t>(static_cast<double>(requests_) * interval_ns_);
      if (due >= deadline_ns) break;
      while (now < due) now = load::now_ns();
    }
    ++requests_;
    if (!carry(client_, server_) || !carry(server_, client_)) {
      ++tally_.broken;
      tally_.note("both ends: what arrived is not what was sent");
      return;
    }
    now = load::now_ns();
    ++tally_.requests;
    tally_.fast.add(now - due);
  }
  while (now < deadline_ns) now = load::now_ns();
}

}  // namespace bench
