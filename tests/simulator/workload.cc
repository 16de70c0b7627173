#include "workload.h"

#include <cerrno>
#include <map>
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

#include "sim/address.h"
#include "sim/machine.h"
#include "sim/sim_client.h"

namespace trireme { inline namespace v0 { namespace sim {
namespace {

constexpr int kLoops = 2;
constexpr uint16_t kPort = 7'000;

struct Connection {
  std::string unsent;
  bool ended = false;
};

// One event loop: edge-triggered, fed with descriptors through a mailbox and an eventfd.
class Loop {
 public:
  Loop(const Platform& platform, ParkSpot& counter) : platform_(platform), counter_(counter) {
    epoll_ = kernel().epoll_create();
    event_ = kernel().event_create();
    kernel().epoll_control(epoll_, EPOLL_CTL_ADD, event_, EPOLLIN, nullptr);
  }
  ~Loop() {
    for (const auto& [fd, connection] : connections_) kernel().close(fd);
    for (const int fd : mailbox_) kernel().close(fd);  // given after the loop had stopped
    kernel().close(event_);
    kernel().close(epoll_);
  }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void give(int fd) {
    mailbox_.push_back(fd);
    wake();
  }
  void stop() {
    stopping_ = true;
    wake();
  }

  void run() {
    std::vector<epoll_event> events(8);
    while (!stopping_) {
      const int count = kernel().epoll_wait(epoll_, events, 100);
      for (int i = 0; i < count; ++i) {
        const auto& event = events[static_cast<size_t>(i)];
        const int fd = static_cast<int>(reinterpret_cast<intptr_t>(event.data.ptr));
        if (fd == 0) {
          take_mail();
        } else if (connections_.contains(fd)) {
          turn(fd);
        }
      }
    }
  }

 private:
  Kernel& kernel() { return platform_.kernel; }
  void wake() {
    while (kernel().event_signal(event_) == -EINTR) continue;
  }

  void take_mail() {
    while (kernel().event_clear(event_) == -EINTR) continue;
    for (const int fd : std::exchange(mailbox_, {})) {
      connections_[fd];
      kernel().epoll_control(epoll_, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                             reinterpret_cast<void*>(static_cast<intptr_t>(fd)));
    }
  }

  void turn(int fd) {
    Connection& connection = connections_[fd];
    try {
      read_all(fd, connection);
      write_all(fd, connection);
      if (connection.ended && connection.unsent.empty()) throw std::runtime_error("done");
    } catch (const std::exception&) {
      platform_.threads.relax();  // other fibers throw while this one is in its handler
      connections_.erase(fd);
      kernel().close(fd);
    }
  }

  void read_all(int fd, Connection& connection) {
    char bytes[2'000];
    while (!connection.ended) {
      const ssize_t size = kernel().receive(fd, bytes);
      if (size > 0) {
        connection.unsent.append(bytes, static_cast<size_t>(size));
        platform_.threads.unpark(counter_);
      } else if (size == 0) {
        connection.ended = true;
      } else if (size == -EAGAIN) {
        return;
      } else if (size != -EINTR) {
        throw std::runtime_error("receive failed");
      }
    }
  }

  void write_all(int fd, Connection& connection) {
    while (!connection.unsent.empty()) {
      const iovec piece{connection.unsent.data(), connection.unsent.size()};
      const ssize_t size = kernel().send(fd, {&piece, 1});
      if (size > 0) {
        connection.unsent.erase(0, static_cast<size_t>(size));
      } else if (size == -EAGAIN) {
        return;
      } else if (size == -ENOBUFS) {
        platform_.threads.sleep_until(platform_.clock.now() + std::chrono::milliseconds(1));
      } else if (size != -EINTR) {
        throw std::runtime_error("send failed");
      }
    }
  }

  const Platform& platform_;
  ParkSpot& counter_;
  int epoll_ = -1;
  int event_ = -1;
  bool stopping_ = false;
  std::vector<int> mailbox_;
  std::map<int, Connection> connections_;
};

class EchoServer {
 public:
  explicit EchoServer(const Platform& platform) : platform_(platform) {
    Kernel& kernel = platform.kernel;
    listener_ = kernel.socket(AF_INET, SOCK_STREAM);
    kernel.set_option(listener_, SOL_SOCKET, SO_REUSEADDR, 1);
    kernel.bind(listener_, ipv4_address(kPort));
    kernel.listen(listener_, 4);
    for (int i = 0; i < kLoops; ++i) loops_.push_back(std::make_unique<Loop>(platform, counter_));
    int error = 0;
    for (auto& loop : loops_) {
      threads_.push_back(platform.threads.start(
          "io", [&loop] { loop->run(); }, error));
    }
    threads_.push_back(platform.threads.start(
        "listener", [this] { accept_all(); }, error));
    threads_.push_back(platform.threads.start(
        "counter", [this] { count_all(); }, error));
  }

  void stop() {
    stopping_ = true;
    platform_.threads.unpark(counter_);
    for (auto& loop : loops_) loop->stop();
    for (auto& thread : threads_) thread->join();
    loops_.clear();
    platform_.kernel.close(listener_);
  }

 private:
  void accept_all() {
    Kernel& kernel = platform_.kernel;
    const int epoll = kernel.epoll_create();
    kernel.epoll_control(epoll, EPOLL_CTL_ADD, listener_, EPOLLIN, nullptr);
    size_t next = 0;
    while (!stopping_) {
      epoll_event event;
      if (kernel.epoll_wait(epoll, {&event, 1}, 20) <= 0) continue;
      SocketAddress peer;
      const int fd = kernel.accept(listener_, peer);
      if (fd >= 0) loops_[next++ % loops_.size()]->give(fd);
    }
    kernel.close(epoll);
  }

  void count_all() {
    while (!stopping_) {
      platform_.threads.park(counter_, platform_.clock.now() + std::chrono::milliseconds(10));
    }
  }

  const Platform& platform_;
  ParkSpot counter_;
  int listener_ = -1;
  bool stopping_ = false;
  std::vector<std::unique_ptr<Loop>> loops_;
  std::vector<std::unique_ptr<Thread>> threads_;
};

void play_client(Machine& world, uint64_t number, Outcome& outcome) {
  SimClient client(world);
  if (const int error = client.connect(kPort); error != 0) {
    outcome.complaint += "client could not connect. ";
    return;
  }
  std::string bytes(1 + world.random().below(3'000), '\0');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>('a' + (i + number) % 26);
  if (client.send_all(bytes) != 0) {
    outcome.complaint += "client could not send. ";
    return;
  }
  if (number % 5 == 4) return client.reset();
  SimClient::Received received;
  if (number % 2 == 0) {
    client.shutdown_write();
    received = client.receive_until_end();
  } else {
    received = client.receive_exactly(bytes.size());
  }
  if (received.bytes != bytes) {
    outcome.complaint += "client " + std::to_string(number) + " got other bytes, error " +
                         std::to_string(received.error) + ". ";
  }
  outcome.bytes_echoed += received.bytes.size();
}

}  // namespace

Outcome run_workload(uint64_t seed, std::FILE* log) {
  Outcome outcome;
  MachineOptions options;
  options.log = log;
  Machine world(seed, options);
  world.run([&] {
    EchoServer server(world.platform());
    const uint64_t clients = 1 + world.random().below(8);
    std::vector<Machine::Task> tasks;
    for (uint64_t i = 0; i < clients; ++i) {
      tasks.push_back(world.spawn("client", [&, i] { play_client(world, i, outcome); }));
    }
    for (auto& task : tasks) task.join();
    server.stop();
  });
  if (world.kernel().open_count() != 0) outcome.complaint += "descriptors leaked. ";
  if (world.threads().living_count() != 0) outcome.complaint += "threads leaked. ";
  outcome.hash = world.trace_hash();
  outcome.steps = world.steps();
  return outcome;
}

}}}  // namespace trireme::sim
