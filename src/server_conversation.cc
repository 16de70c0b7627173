// testing::Conversation: the second composition root. One I/O worker without crew, on a driver
// without a kernel and a clock that is moved by hand; everything between them is the code that
// serves sockets.
#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "connection/io_worker.h"
#include "reply/mail.h"
#include "roster/server_context.h"
#include "runtime/check.h"
#include "server_manual_clock.h"
#include "server_stats.h"
#include "server_validate.h"
#include "trireme/testing/conversation.h"

namespace trireme { inline namespace v0 { namespace testing {
namespace {

// Waiting takes no time: the clock is moved on.
class InstantThreads final : public Threads {
 public:
  explicit InstantThreads(ManualClock& clock) : clock_(clock) {}

  std::unique_ptr<Thread> start(std::string_view name, std::function<void()> body,
                                int& error) override {
    return real_.start(name, std::move(body), error);
  }
  bool park(ParkSpot&, TimePoint until) override {
    CHECK(until != kNever, "nobody would wake it");
    sleep_until(until);
    return false;
  }
  void unpark(ParkSpot&) override {}
  bool try_park(ParkSpot&) override { return false; }
  void sleep_until(TimePoint until) override {
    if (until > clock_.now()) clock_.advance(until - clock_.now());
  }
  bool waiting_moves_the_clock() const override { return true; }
  void relax() override { real_.relax(); }
  void set_name(std::string_view) override {}
  uint64_t current_id() override { return real_.current_id(); }
  int allowed_cpus() override { return 1; }
  Duration cpu_time(uint64_t thread) override { return real_.cpu_time(thread); }

 private:
  ManualClock& clock_;
  Threads& real_ = real_platform().threads;
};

// One channel whose peer is a pair of strings.
class ScriptedDriver final : public Driver {
 public:
  ScriptedDriver(Buffers& buffers, LoopCounters& counters)
      : counters_(counters), read_buffer_(buffers.make_fixed(64 << 10)) {}

  std::string incoming;  // what the client has sent and the server has not read
  std::string outgoing;  // what the server has sent
  bool client_ended = false;
  bool client_reset = false;
  bool server_ended = false;

  Traits traits() const override {
    return {.name = "scripted", .loop_may_move = false, .worker_may_write = false};
  }
  void wait(TimePoint, TimePoint) override {}
  bool ready() const override { return true; }
  bool drained() const override { return true; }
  bool next(Completion& out) override {
    if (channel_ == nullptr) return false;
    out = Completion{};
    out.channel = channel_;
    if (closing_) {
      closing_ = false;
      channel_ = nullptr;
      out.kind = Completion::Kind::kClosed;
      return true;
    }
    if (!reads_ && !client_reset) return false;
    out.kind = Completion::Kind::kReceived;
    if (client_reset || (incoming.empty() && client_ended)) {
      out.result = client_reset ? -ECONNRESET : 0;
      reads_ = client_reset = false;
      return true;
    }
    const size_t bytes = std::min({incoming.size(), read_buffer_.capacity(), receive_bytes_max_});
    if (bytes == 0) return false;
    std::memcpy(read_buffer_.data(), incoming.data(), bytes);
    incoming.erase(0, bytes);
    out.result = static_cast<int32_t>(bytes);
    out.bytes = read_buffer_.span().first(bytes);
    counters_.bytes_in.add(bytes);
    return true;
  }
  int attach(Channel& channel, Channel::Role, int) override {
    channel_ = &channel;
    reads_ = true;
    return 0;
  }
  void receive(Channel&) override { reads_ = true; }
  void pause(Channel&) override { reads_ = false; }
  Sent send(Channel&, std::span<const iovec> pieces) override {
    size_t sent = 0;
    for (const iovec& piece : pieces) {
      outgoing.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
      sent += piece.iov_len;
    }
    counters_.bytes_out.add(sent);
    return {.bytes = sent, .error = 0};
  }
  Sent send_file(Channel&, const FilePart& part) override {
    Sent sent;
    while (sent.bytes < part.bytes && sent.error == 0) {
      char buffer[4096];
      const iovec into{buffer, std::min(sizeof(buffer), part.bytes - sent.bytes)};
      const ssize_t result =
          real_platform().kernel.read_file(part.file, part.offset + sent.bytes, {&into, 1}, true);
      if (result <= 0) {
        sent.error = result == 0 ? -ENODATA : static_cast<int>(result);
      } else {
        outgoing.append(buffer, static_cast<size_t>(result));
        sent.bytes += static_cast<size_t>(result);
      }
    }
    counters_.bytes_out.add(sent.bytes);
    return sent;
  }
  void shutdown_write(Channel&) override { server_ended = true; }
  void close(Channel&) override { closing_ = server_ended = true; }
  size_t bytes_readable(const Channel&) override { return incoming.size(); }
  size_t bytes_unsent(const Channel&) override { return 0; }
  Waiting waiting(const Channel&) override { return {.input = !incoming.empty() || client_reset}; }
  Block swap_read_buffer(Block fresh) override {
    read_buffer_.swap(fresh);
    return fresh;
  }
  void set_receive_bytes_max(size_t bytes) override { receive_bytes_max_ = bytes; }
  bool wake() noexcept override { return true; }

 private:
  LoopCounters& counters_;
  Block read_buffer_;
  size_t receive_bytes_max_ = SIZE_MAX;
  Channel* channel_ = nullptr;
  bool reads_ = false;
  bool closing_ = false;
};

ServerOptions options_for_conversation() {
  ServerOptions options;
  options.dispatch = Dispatch::kInline;
  return options;
}

// Each seat of a table has one of its own, of the network for documents (RFC 5737).
SocketAddress address_of_seat(int seat) {
  SocketAddress address;
  if (seat == 0) return address;
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(static_cast<uint16_t>(40'000 + seat));
  in.sin_addr.s_addr = htonl(0xc0000200U + (static_cast<uint32_t>(seat) & 0xffU));
  std::memcpy(&address.storage, &in, sizeof(in));
  address.size = sizeof(in);
  return address;
}

}  // namespace

struct Conversation::Impl {
  Impl(std::shared_ptr<const Codec> codec, std::shared_ptr<detail::Service> service,
       ListenOptions options, std::shared_ptr<ManualClock> time, int seat)
      : clock(std::move(time)),
        platform{real_platform().kernel, *clock, threads, 0},
        context(new ServerContext(platform, options_for_conversation(), 1, 1)) {
    CHECK(context.get()->roster.has_home_numbers(),
          "a process may have 1024 conversations and event loops of servers at once");
    auto listening = std::make_unique<Listening>();
    listening->url = "test:";
    listening->codec = std::move(codec);
    listening->has_session = service != nullptr && service->has_session();
    listening->service = std::move(service);
    listening->options = std::move(options);
    const Result<Done> valid = validate_listening(*listening);
    CHECK(valid.ok(), valid.error().message.c_str());  // as Server::start() would
    listening->prepare(Dispatch::kInline);
    listenings.push_back(std::move(listening));
    EventLoop& loop = context.get()->loop(0);
    auto scripted = std::make_unique<ScriptedDriver>(context.get()->buffers, loop.counters);
    driver = scripted.get();
    loop.use_driver(std::move(scripted));
    io_worker = std::make_unique<IoWorker>(*context.get(), 0, listenings);
    context.get()->books(0).accepted.add();
    CHECK(context.get()->places.enter(), "the one connection of a conversation");
    loop.post(std::make_unique<AdoptMail>(-1, 0, address_of_seat(seat)));
    io_worker->turn_until_idle();
  }

  ~Impl() {
    context.get()->loop(0).post(std::make_unique<PlainMail>(kMailDrain));
    context.get()->loop(0).post(std::make_unique<PlainMail>(kMailCut));
    io_worker->turn_until_idle();
  }

  // When a clock or a timer is due next.
  TimePoint next_wake() {
    EventLoop& loop = context.get()->loop(0);
    loop.assume_held();
    return loop.timers().next_wake();
  }

  std::string hear() {
    io_worker->turn_until_idle();
    return std::exchange(driver->outgoing, {});
  }

  const std::shared_ptr<ManualClock> clock;  // owners: all conversations of a table, and the table
  InstantThreads threads{*clock};
  const Platform platform;
  std::vector<std::unique_ptr<Listening>> listenings;
  ContextRef context;
  ScriptedDriver* driver = nullptr;  // the loop owns it
  std::unique_ptr<IoWorker> io_worker;
};

Conversation::Conversation(std::shared_ptr<const Codec> codec,
                           std::shared_ptr<detail::Service> service, ListenOptions options)
    : Conversation(std::move(codec), std::move(service), std::move(options),
                   std::make_shared<ManualClock>(), 0) {}

Conversation::Conversation(std::shared_ptr<const Codec> codec,
                           std::shared_ptr<detail::Service> service, ListenOptions options,
                           std::shared_ptr<ManualClock> clock, int seat)
    : impl_(std::make_unique<Impl>(std::move(codec), std::move(service), std::move(options),
                                   std::move(clock), seat)) {}

Conversation::~Conversation() = default;

std::string Conversation::say(std::string_view bytes) {
  CHECK(!impl_->driver->client_ended, "the client has ended its stream");
  turn();  // what has been sent to it before comes first
  impl_->driver->incoming.append(bytes);
  return impl_->hear();
}

std::string Conversation::hear() { return impl_->hear(); }

std::string Conversation::end() {
  impl_->driver->client_ended = true;
  return impl_->hear();
}

void Conversation::reset() {
  impl_->driver->client_reset = true;
  impl_->io_worker->turn_until_idle();
}

std::string Conversation::advance(std::chrono::nanoseconds time) {
  turn();  // what has been sent before comes first
  const TimePoint until = impl_->clock->after(time);
  do {
    impl_->clock->advance_to(std::min(impl_->next_wake(), until));
    impl_->io_worker->turn_until_idle();
  } while (impl_->clock->now() < until);
  return impl_->hear();
}

std::string Conversation::drain() {
  begin_drain();
  return impl_->hear();
}

void Conversation::begin_drain() {
  impl_->context.get()->loop(0).post(std::make_unique<PlainMail>(kMailDrain));
}

void Conversation::turn() { impl_->io_worker->turn_until_idle(); }

TimePoint Conversation::next_wake() const { return impl_->next_wake(); }

Peer Conversation::peer() const {
  const Roster& roster = impl_->context.get()->roster;
  return Peer(ConnectionId::make(roster.home(0), 0, 1), impl_->context);
}

bool Conversation::ended() const { return impl_->driver->server_ended; }

std::optional<CloseReason> Conversation::closed() const {
  const Books& books = impl_->context.get()->books(0);
  for (int reason = 0; reason < kCloseReasonCount; ++reason) {
    if (books.closed_by_reason[static_cast<size_t>(reason)].get() > 0)
      return static_cast<CloseReason>(reason);
  }
  return std::nullopt;
}

Stats Conversation::stats() const { return collect_stats(*impl_->context.get(), 0); }

}}}  // namespace trireme::testing
