#include "fault/faulty_server.h"

#include <algorithm>
#include <cctype>
#include <map>

namespace fault {
namespace {

constexpr std::chrono::seconds kSoon{4};

tr::ServerOptions short_clocks(const support::Setup& setup) {
  tr::ServerOptions options = support::options_of(setup);
  options.data_workers = 8;
  options.linger_time_max = std::chrono::milliseconds(50);
  return options;
}

// A line without its numbers.
std::string kind_of(std::string line) {
  std::erase_if(line, [](unsigned char c) { return std::isdigit(c) != 0; });
  return line;
}

}  // namespace

std::span<const support::Setup> setups() {
  constexpr tr::Accepting kLoops = tr::Accepting::kLoops;
  static const std::vector<support::Setup> all = {
      {tr::Dispatch::kAdaptive, tr::DriverKind::kEpoll, 1, false, kLoops},
      {tr::Dispatch::kWorkers, tr::DriverKind::kEpollEdge, 1, false, kLoops},
      {tr::Dispatch::kAdaptive, tr::DriverKind::kEpoll, 1},
      {tr::Dispatch::kWorkers, tr::DriverKind::kEpollEdge, 1},
      {tr::Dispatch::kAdaptive, tr::DriverKind::kEpollEdge, 1},
      {tr::Dispatch::kWorkers, tr::DriverKind::kEpoll, 1},
      {tr::Dispatch::kAdaptive, tr::DriverKind::kPoll, 1},
      {tr::Dispatch::kWorkers, tr::DriverKind::kSelect, 1},
  };
  return all;
}

std::span<const support::Setup> setups_of(tr::FaultyKernel::Site site) {
  switch (site) {
    case Site::kEpollCreate:
    case Site::kEpollAdd:
    case Site::kEpollModify:
    case Site::kEpollDelete:
    case Site::kEpollWait:
      return setups().first(6);
    case Site::kPoll:
      return setups().subspan(6, 1);
    case Site::kSelect:
      return setups().subspan(7, 1);
    case Site::kSocketError:
      return setups().first(7);  // select hears nothing of a hang-up that nobody reads
    case Site::kEventSignal:
      return setups().subspan(1);  // with one loop that does all, nobody wakes anybody
    case Site::kEventClear:
      return setups().subspan(6);  // epoll tells a signal once, and nobody clears it
    default:
      return setups();
  }
}

FaultyServer::FaultyServer(const support::Setup& setup, size_t listeners)
    : setup_(setup),
      listeners_(listeners),
      kernel_(tr::real_platform().kernel),
      threads_(tr::real_platform().threads),
      platform_{kernel_, tr::real_platform().clock, threads_},
      lines_(std::make_shared<Lines>()) {}

tr::Result<tr::Done> FaultyServer::start() {
  server_.reset();
  tr::ServerOptions options = short_clocks(setup_);
  options.log = [lines = lines_](tr::LogLevel, std::string_view line) {
    const std::lock_guard lock(lines->mutex);
    lines->lines.emplace_back(line);
  };
  server_ = std::make_unique<tr::Server>(std::move(options), platform_);
  const auto handler = [gate = gate_](const tr::Request& request) -> tr::Answer {
    if (request.text() == "gate") gate.wait();
    if (request.text() == "wait") {
      support::wait_until([&] { return request.cancelled().reason() != tr::CancelReason::kNone; });
    }
    tr::Answer answer = request.own();
    return request.text() == "bye" ? std::move(answer).close_after() : std::move(answer);
  };
  tr::ListenOptions listen;
  listen.accepting = setup_.accepting;
  listen.limits.read_ahead_bytes_max = 64;  // a connection whose handler waits stops reading soon
  static constexpr const char* kUrls[] = {"tcp://127.0.0.1:0", "tcp://[::1]:0"};
  for (size_t i = 0; i < listeners_; ++i) {
    server_->listen(kUrls[i % 2], tr::lines(), handler, listen);
  }
  tr::Result<tr::Done> result = server_->start();
  running_ = result.ok();
  if (!running_) server_.reset();
  return result;
}

void FaultyServer::drain() {
  if (!running_) return;
  running_ = false;
  EXPECT_TRUE(server_->drain().empty());
  const tr::Stats stats = server_->stats();
  const char* why = nullptr;
  EXPECT_TRUE(tr::books_balance(stats, &why))
      << why << " do not balance: accepted " << stats.accepted << ", closed " << stats.closed
      << ", requests " << stats.requests << ", replies " << stats.replies << ", dropped "
      << stats.replies_dropped << ", buffer bytes " << stats.buffer_bytes_now;
}

FaultyServer::~FaultyServer() {
  gate_.open();
  kernel_.heal();
  threads_.heal();
  drain();
  server_.reset();
  EXPECT_EQ(descriptors_open(), 0u) << "descriptors leak";
  expect_quiet_log();
}

std::vector<std::string> FaultyServer::log() const {
  const std::lock_guard lock(lines_->mutex);
  return lines_->lines;
}

void FaultyServer::expect_quiet_log() const {
  const auto lived = support::Clock::now() - born_;
  const auto lines_max = std::chrono::ceil<std::chrono::seconds>(lived).count() + 1;
  std::map<std::string, int> kinds;
  for (const std::string& line : log()) ++kinds[kind_of(line)];
  for (const auto& [kind, count] : kinds) EXPECT_LE(count, lines_max) << kind;
}

::testing::AssertionResult answered(Client& client, const std::string& line) {
  if (!client.connected()) return ::testing::AssertionFailure() << "not connected";
  if (!client.readable_within(kSoon)) return ::testing::AssertionFailure() << "no answer";
  const std::string answer = client.line();
  if (answer == line) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure()
         << "answered '" << answer << "', stream " << static_cast<int>(client.end());
}

::testing::AssertionResult serves(Client& client, const std::string& line) {
  if (!client.connected()) return ::testing::AssertionFailure() << "not connected";
  if (!client.send(line + "\n")) return ::testing::AssertionFailure() << "cannot send";
  return answered(client, line);
}

::testing::AssertionResult serves(const std::string& url) {
  Client client(url);
  return serves(client);
}

}  // namespace fault
