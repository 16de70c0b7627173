// Goal: what parity cannot show because it needs time, faults or limits. Method: worlds in which
// a server side speaks through the seam and a SimClient through its own calls.
#include <gtest/gtest.h>

#include <cerrno>
#include <string>

#include "sim/address.h"
#include "sim/machine.h"
#include "sim/sim_client.h"

namespace trireme { inline namespace v0 { namespace sim { namespace {

using std::chrono::milliseconds;

MachineOptions calm_options() {
  MachineOptions options;
  options.faults = Faults{};
  return options;
}

int listen_on(Kernel& kernel, uint16_t port, int backlog = 8) {
  const int fd = kernel.socket(AF_INET, SOCK_STREAM);
  EXPECT_EQ(kernel.bind(fd, ipv4_address(port)), 0);
  EXPECT_EQ(kernel.listen(fd, backlog), 0);
  return fd;
}

TEST(SimKernel, LowestDescriptorFirstAndLimit) {
  MachineOptions options = calm_options();
  options.descriptors_max = 6;
  Machine world(1, options);
  Kernel& kernel = world.platform().kernel;
  world.run([&] {
    const int listener = listen_on(kernel, 7'000);
    EXPECT_EQ(listener, 3);
    EXPECT_EQ(kernel.event_create(), 4);
    EXPECT_EQ(kernel.epoll_create(), 5);
    EXPECT_EQ(kernel.socket(AF_INET, SOCK_STREAM), -EMFILE);
    SocketAddress peer;
    EXPECT_EQ(kernel.accept(listener, peer), -EMFILE);
    kernel.close(4);
    EXPECT_EQ(kernel.accept(listener, peer), -EAGAIN);
    EXPECT_EQ(kernel.socket(AF_INET, SOCK_STREAM), 4);
    EXPECT_EQ(kernel.raise_descriptor_limit(), 6);
    for (int fd = 3; fd <= 5; ++fd) kernel.close(fd);
  });
  EXPECT_EQ(world.kernel().open_count(), 0);
}

TEST(SimKernel, EpollWaitSleepsInVirtualTime) {
  Machine world(2, calm_options());
  Kernel& kernel = world.platform().kernel;
  world.run([&] {
    const int epoll = kernel.epoll_create();
    epoll_event event;
    const TimePoint before = world.now();
    EXPECT_EQ(kernel.epoll_wait(epoll, {&event, 1}, 60'000), 0);
    EXPECT_GE(world.now() - before, milliseconds(60'000));
    EXPECT_LT(world.now() - before, milliseconds(60'001));
    kernel.close(epoll);
  });
}

TEST(SimKernel, FullBacklogIsTriedAgainAfterASecond) {
  Machine world(3, calm_options());
  Kernel& kernel = world.platform().kernel;
  world.run([&] {
    const int listener = listen_on(kernel, 7'000, 0);
    SimClient first(world);
    SimClient second(world);
    EXPECT_EQ(first.connect(7'000), 0);
    const TimePoint before = world.now();
    EXPECT_EQ(second.connect(7'000, before + milliseconds(900)), -ETIMEDOUT);
    world.spawn("acceptor", [&] {
      world.sleep_for(milliseconds(500));
      SocketAddress peer;
      kernel.close(kernel.accept(listener, peer));
    });
    EXPECT_EQ(second.connect(7'000), 0);
    EXPECT_GE(world.now() - before, milliseconds(1'900));
    kernel.close(listener);
    SimClient third(world);
    EXPECT_EQ(third.connect(7'000), -ECONNREFUSED);
  });
}

TEST(SimKernel, PeerAddressesAndDualStack) {
  Machine world(4, calm_options());
  Kernel& kernel = world.platform().kernel;
  world.run([&] {
    const int listener = kernel.socket(AF_INET6, SOCK_STREAM);
    EXPECT_EQ(kernel.bind(listener, ipv6_address(7'000, in6addr_any)), 0);
    EXPECT_EQ(kernel.listen(listener, 8), 0);
    SimClient client(world);
    EXPECT_EQ(client.connect(ipv4_address(7'000), kNever, ipv4_address(0, 0x7f000009)), 0);
    SocketAddress peer;
    const int fd = kernel.accept(listener, peer);
    EXPECT_EQ(peer.storage.ss_family, AF_INET6);
    EXPECT_FALSE(Host::of(peer).is_v6);
    EXPECT_EQ(Host::of(peer).v4, 0x7f000009U);
    EXPECT_EQ(port_of(peer), port_of(client.local_address()));
    kernel.close(fd);
    kernel.close(listener);
  });
}

// Sends `total` bytes against a slow reader and returns what arrived.
std::string stream_through(Machine& world, size_t total) {
  Kernel& kernel = world.platform().kernel;
  std::string arrived;
  const int listener = listen_on(kernel, 7'000);
  auto client = world.spawn("client", [&] {
    SimClient talk(world);
    ASSERT_EQ(talk.connect(7'000), 0);
    arrived = talk.receive_until_end().bytes;
  });
  const int epoll = kernel.epoll_create();
  kernel.epoll_control(epoll, EPOLL_CTL_ADD, listener, EPOLLIN, nullptr);
  epoll_event event;
  SocketAddress peer;
  int fd = -1;
  while ((fd = kernel.accept(listener, peer)) < 0) kernel.epoll_wait(epoll, {&event, 1}, -1);
  kernel.epoll_control(epoll, EPOLL_CTL_DEL, listener, 0, nullptr);
  kernel.epoll_control(epoll, EPOLL_CTL_ADD, fd, EPOLLOUT | EPOLLET, nullptr);
  std::string bytes(total, '\0');
  for (size_t i = 0; i < total; ++i) bytes[i] = static_cast<char>(i * 31 % 251);
  size_t sent = 0;
  while (sent < total) {
    const iovec pieces[] = {{bytes.data() + sent, 1}, {bytes.data() + sent + 1, total - sent - 1}};
    const ssize_t size = kernel.send(fd, pieces);
    if (size > 0) sent += static_cast<size_t>(size);
    // Edge-triggered: only after -EAGAIN, and then the edge must come or the world is dead.
    if (size == -EAGAIN) kernel.epoll_wait(epoll, {&event, 1}, -1);
  }
  for (const int open : {fd, epoll, listener}) kernel.close(open);
  client.join();
  return arrived == bytes ? "equal" : "different";
}

TEST(SimKernel, BytesAreExactUnderEverySeedsFaults) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    Machine world(seed);
    world.run([&] { EXPECT_EQ(stream_through(world, 300'000), "equal") << "seed " << seed; });
    EXPECT_EQ(world.kernel().open_count(), 0);
  }
}

TEST(SimKernel, FaultsHappenAndCalmEndsThem) {
  MachineOptions options;
  options.faults = Faults{};
  options.faults->interrupted = 5'000;
  Machine world(6, options);
  Kernel& kernel = world.platform().kernel;
  world.run([&] {
    const int event = kernel.event_create();
    int interrupted = 0;
    for (int i = 0; i < 100; ++i) interrupted += kernel.event_signal(event) == -EINTR ? 1 : 0;
    EXPECT_GT(interrupted, 20);
    world.calm();
    for (int i = 0; i < 100; ++i) EXPECT_EQ(kernel.event_signal(event), 0);
    kernel.close(event);
  });
}

TEST(SimClient, DeadlineAndServerReset) {
  Machine world(7, calm_options());
  SimKernel& kernel = world.kernel();
  world.run([&] {
    const int listener = listen_on(kernel, 7'000);
    SimClient client(world);
    EXPECT_EQ(client.connect(7'000), 0);
    const auto late = client.receive_some(10, world.now() + milliseconds(5));
    EXPECT_EQ(late.error, ETIMEDOUT);
    SocketAddress peer;
    kernel.reset(kernel.accept(listener, peer));
    EXPECT_EQ(client.receive_some().error, ECONNRESET);
    EXPECT_EQ(client.send_all("x"), -EPIPE);
    kernel.close(listener);
  });
}

TEST(SimKernelDeathTest, BadUseIsNamed) {
  const auto in_world = [](auto body) {
    Machine world(1, calm_options());
    world.run([&] { body(world.platform().kernel); });
  };
  EXPECT_DEATH(in_world([](Kernel& kernel) { kernel.close(9); }),
               "close was called on descriptor 9, which is not open");
  EXPECT_DEATH(in_world([](Kernel& kernel) {
                 const int fd = kernel.event_create();
                 kernel.close(fd);
                 kernel.close(fd);
               }),
               "close was called on descriptor 3, which is not open");
  EXPECT_DEATH(in_world([](Kernel& kernel) { kernel.listen(kernel.event_create(), 1); }),
               "listen was called on descriptor 3, which is no socket");
}

}  // namespace
}}}  // namespace trireme::sim
