#include "sim/sim_client.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "sim/address.h"
#include "sim/fail.h"
#include "sim/machine.h"
#include "sim/network.h"
#include "sim/socket.h"
#include "sim/unix_socket.h"

namespace trireme { inline namespace v0 { namespace sim {
namespace {

constexpr size_t kReadBytes = 65'536;
constexpr int32_t kFirstPid = 1'000;  // of clients, by their numbers
constexpr uint32_t kClientUser = 1'000;
constexpr Duration kBacklogLook{100'000};  // how often a full backlog is looked at

// Wakes the fiber at the next change of the socket, whatever it is.
class Waker final : public Watch {
 public:
  Waker(Scheduler& scheduler, Pollable& target)
      : scheduler_(scheduler), target_(&target), fiber_(*scheduler.current()) {
    target_->add_watch(*this);
  }
  ~Waker() override {
    if (target_ != nullptr) target_->remove_watch(*this);
  }
  Waker(const Waker&) = delete;
  Waker& operator=(const Waker&) = delete;
  void on_notify(uint32_t) override { scheduler_.wake(fiber_); }
  void on_descriptor_closed() override {
    target_ = nullptr;
    scheduler_.wake(fiber_);
  }

 private:
  Scheduler& scheduler_;
  Pollable* target_;
  Fiber& fiber_;
};

}  // namespace

SimClient::SimClient(Machine& world)
    : machine_(world), scheduler_(world.scheduler()), number_(world.count_client()) {}

SimClient::~SimClient() { close(); }

StreamSocket& SimClient::socket(const char* call) const {
  if (socket_ == nullptr) {
    fail("client " + std::to_string(number_) + " calls " + call + ", but is not connected.");
  }
  return *socket_;
}

void SimClient::record(Call call, int64_t argument, int64_t result) {
  scheduler_.record(call, number_, argument, result);
}

bool SimClient::wait(const char* call, TimePoint until) {
  if (scheduler_.current() == nullptr) fail("a client was used outside of Machine::run.");
  if (scheduler_.now() >= until) return false;
  const auto keep = socket_;
  Waker waker(scheduler_, *keep);
  scheduler_.block({call, number_, until});
  if (socket_ != keep) fail(std::string(call) + ": another fiber closed the client meanwhile.");
  return true;
}

int SimClient::connect(const SocketAddress& address, TimePoint until, const SocketAddress& source) {
  if (address.storage.ss_family == AF_UNIX) return connect_unix(unix_name(address), until);
  if (socket_ != nullptr) fail("a client connects that is connected already.");
  scheduler_.point();
  socket_ = std::make_shared<Socket>(machine_.network(), address.storage.ss_family);
  int result = source.size == 0 ? 0 : socket_->bind(source);
  if (result == 0) result = socket_->connect(address);
  if (result == -EINPROGRESS) {
    result = 0;
    while (socket_->is_connecting() && result == 0) {
      if (!wait("connect of client", until)) result = -ETIMEDOUT;
    }
    if (result == 0) result = -socket_->take_error();
  }
  record(Call::kClientConnect, port_of(address), result);
  if (result != 0) close();
  scheduler_.point_after();
  return result;
}

// At once, but for a full backlog: until there is room, as a descriptor that blocks.
int SimClient::connect_unix(const std::string& name, TimePoint until) {
  if (socket_ != nullptr) fail("a client connects that is connected already.");
  scheduler_.point();
  const Credentials own{kFirstPid + static_cast<int32_t>(number_), kClientUser, kClientUser};
  socket_ = std::make_shared<UnixSocket>(machine_.network(), own);
  int result = socket_->connect(unix_address(name));
  while (result == -EAGAIN && scheduler_.now() < until) {
    scheduler_.block({"connect of client", number_, scheduler_.now() + kBacklogLook});
    result = socket_->connect(unix_address(name));
  }
  record(Call::kClientConnect, 0, result);
  if (result != 0) close();
  scheduler_.point_after();
  return result;
}

int SimClient::connect(uint16_t port, TimePoint until) {
  return connect(ipv4_address(port), until);
}

int SimClient::send_all(std::string_view bytes, TimePoint until) {
  scheduler_.point();
  scheduler_.trace().add_bytes(bytes);
  int result = 0;
  while (!bytes.empty() && result == 0) {
    const iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
    const ssize_t sent = socket("send").send({&piece, 1});
    if (sent >= 0) {
      bytes.remove_prefix(static_cast<size_t>(sent));
      sent_bytes_ += static_cast<uint64_t>(sent);
    } else if (sent != -EAGAIN) {
      result = static_cast<int>(sent);
    } else if (!wait("send of client", until)) {
      result = -ETIMEDOUT;
    }
  }
  record(Call::kClientSend, static_cast<int64_t>(sent_bytes_), result);
  scheduler_.point_after();
  return result;
}

SimClient::Received SimClient::receive(size_t bytes_max, bool all, TimePoint until) {
  scheduler_.point();
  Received received;
  if (read_buffer_.empty()) read_buffer_.resize(kReadBytes);
  while (received.bytes.size() < bytes_max) {
    const size_t want = std::min(read_buffer_.size(), bytes_max - received.bytes.size());
    const ssize_t size = socket("receive").receive({read_buffer_.data(), want});
    if (size > 0) {
      received.bytes.append(read_buffer_.data(), static_cast<size_t>(size));
    } else if (size == 0) {
      received.end = true;
      break;
    } else if (size != -EAGAIN) {
      received.error = static_cast<int>(-size);
      break;
    } else if (!all && !received.bytes.empty()) {
      break;
    } else if (!wait("receive of client", until)) {
      received.error = ETIMEDOUT;
      break;
    }
  }
  received_bytes_ += received.bytes.size();
  scheduler_.trace().add_bytes(received.bytes);
  record(Call::kClientReceive, received.end ? 1 : 0, received.error);
  scheduler_.point_after();
  return received;
}

SimClient::Received SimClient::receive_some(size_t bytes_max, TimePoint until) {
  return receive(bytes_max, false, until);
}

SimClient::Received SimClient::receive_exactly(size_t bytes, TimePoint until) {
  return receive(bytes, true, until);
}

SimClient::Received SimClient::receive_until_end(TimePoint until) {
  return receive(SIZE_MAX, true, until);
}

int SimClient::shutdown_write() {
  scheduler_.point();
  const int result = socket("shutdown").shutdown(SHUT_WR);
  record(Call::kClientShutdown, 0, result);
  scheduler_.point_after();
  return result;
}

void SimClient::reset() {
  scheduler_.point();
  socket("reset");
  std::exchange(socket_, nullptr)->reset_descriptor();
  record(Call::kClientReset, 0, 0);
  scheduler_.point_after();
}

void SimClient::close() {
  if (socket_ == nullptr) return;
  scheduler_.point();
  std::exchange(socket_, nullptr)->close_descriptor();
  record(Call::kClientClose, 0, 0);
  scheduler_.point_after();
}

SocketAddress SimClient::local_address() const { return socket("getsockname").local_address(); }

}}}  // namespace trireme::sim
