#include "support/test_server.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "support/tls.h"
#include "support/wait.h"
#ifdef TRIREME_HAS_URING
#include "trireme/uring.h"
#endif

namespace support {

namespace {

tr::Accepting accepting_now = tr::Accepting::kListener;  // of the test that runs

std::string text_of(const Setup& setup) {
  std::string name;
  switch (setup.dispatch) {
    case tr::Dispatch::kInline:
      name = "Inline";
      break;
    case tr::Dispatch::kWorkers:
      name = "Workers";
      break;
    case tr::Dispatch::kAdaptive:
      name = "Adaptive";
      break;
  }
  constexpr const char* kDrivers[] = {"Level", "Edge", "Poll", "Select"};
  name += setup.uring ? "Uring" : kDrivers[static_cast<size_t>(setup.driver)];
  if (setup.accepting == tr::Accepting::kLoops) name += "Ports";
  return name + std::to_string(setup.io_workers);
}

}  // namespace

std::string name_of(const ::testing::TestParamInfo<Setup>& info) { return text_of(info.param); }

void PrintTo(const Setup& setup, std::ostream* out) { *out << text_of(setup); }

std::vector<Setup> setups_of(tr::Dispatch dispatch) {
  std::vector<Setup> setups;
  for (const tr::DriverKind driver : {tr::DriverKind::kEpoll, tr::DriverKind::kEpollEdge}) {
    const bool edge = driver == tr::DriverKind::kEpollEdge;
    for (const int io_workers : {1, 2, 4}) {
      // Two are run where it is about threads. What the sanitizers look for does not depend on the
      // product of driver and number of loops: each comes up.
      if (io_workers == 2 && !(kForcedHandOver && !edge)) continue;
      if (kSanitized && edge && io_workers == 1) continue;
      if (kSanitized && !edge && io_workers == 4 && !kForcedHandOver) continue;
      setups.push_back({dispatch, driver, io_workers});
    }
  }
  // These wait with another system call; all else is the code of the level-triggered epoll.
  setups.push_back({dispatch, tr::DriverKind::kPoll, 4});
  setups.push_back({dispatch, tr::DriverKind::kSelect, 1});
  return setups;
}

bool has_uring() {
#ifdef TRIREME_HAS_URING
  static const bool has = [] {
    tr::ServerOptions options;
    return tr::use_io_uring(options).ok();
  }();
  return has;
#else
  return false;
#endif
}

std::vector<Setup> blocking_setups() {
  std::vector<Setup> setups = setups_of(tr::Dispatch::kWorkers);
  for (const Setup& setup : setups_of(tr::Dispatch::kAdaptive)) setups.push_back(setup);
  constexpr tr::Accepting kLoops = tr::Accepting::kLoops;
  setups.push_back({tr::Dispatch::kWorkers, tr::DriverKind::kEpollEdge, 1, false, kLoops});
  setups.push_back({tr::Dispatch::kAdaptive, tr::DriverKind::kEpoll, 4, false, kLoops});
  setups.push_back({tr::Dispatch::kAdaptive, tr::DriverKind::kPoll, 2, false, kLoops});
  if (has_uring()) {
    setups.push_back({tr::Dispatch::kWorkers, tr::DriverKind::kEpoll, 1, true});
    setups.push_back({tr::Dispatch::kAdaptive, tr::DriverKind::kEpoll, 4, true});
    setups.push_back({tr::Dispatch::kWorkers, tr::DriverKind::kEpoll, 4, true, kLoops});
  }
  return setups;
}

std::vector<Setup> every_setup() {
  std::vector<Setup> setups = blocking_setups();
  for (const Setup& setup : setups_of(tr::Dispatch::kInline)) setups.push_back(setup);
  for (const int io_workers : {1, 4}) {
    setups.push_back(
        {tr::Dispatch::kInline, tr::DriverKind::kEpoll, io_workers, false, tr::Accepting::kLoops});
  }
  if (has_uring()) {
    for (const tr::Accepting accepting : {tr::Accepting::kListener, tr::Accepting::kLoops}) {
      setups.push_back({tr::Dispatch::kInline, tr::DriverKind::kEpoll, 1, true, accepting});
    }
  }
  return setups;
}

tr::ServerOptions options_of(const Setup& setup) {
  tr::ServerOptions options;
  options.io_workers = setup.io_workers;
  options.dispatch = setup.dispatch;
  options.driver = setup.driver;
#ifdef TRIREME_HAS_URING
  if (setup.uring) {
    EXPECT_TRUE(tr::use_io_uring(options).ok());
  }
#endif
  return options;
}

ServerTest::ServerTest() { accepting_now = GetParam().accepting; }

ServerTest::~ServerTest() { accepting_now = tr::Accepting::kListener; }

TestServer::TestServer(tr::ServerOptions options)
    : accepting_(accepting_now), lines_(std::make_shared<Lines>()) {
  options.log = [lines = lines_](tr::LogLevel, std::string_view line) {
    const std::lock_guard lock(lines->mutex);
    lines->text.append(line).append("\n");
  };
  server_ = std::make_unique<tr::Server>(std::move(options));
}

std::array<const char*, 2> TestServer::urls_for(tr::ListenOptions& options) const {
  options.accepting = accepting_;
  if (!over_tls()) return {"tcp://127.0.0.1:0", "tcp://[::1]:0"};
  options.tls = tls_of_tests();
  return {"tls://127.0.0.1:0", "tls://[::1]:0"};
}

void TestServer::start() {
  const tr::Result<tr::Done> result = server_->start();
  ASSERT_TRUE(result.ok()) << result.error().message;
  started_ = true;
}

TestServer::~TestServer() {
  if (!started_) return;
  if (!server_->drain().empty()) return;  // the destructor of the server waits for that handler
  const tr::Stats stats = server_->stats();
  const char* why = nullptr;
  EXPECT_TRUE(tr::books_balance(stats, &why))
      << why << " do not balance: accepted " << stats.accepted << ", requests " << stats.requests
      << ", replies " << stats.replies << ", dropped " << stats.replies_dropped << ", buffer bytes "
      << stats.buffer_bytes_now;
}

std::string TestServer::log() const {
  const std::lock_guard lock(lines_->mutex);
  return lines_->text;
}

::testing::AssertionResult TestServer::says(std::string_view text) const {
  if (wait_until([&] { return log().find(text) != std::string::npos; })) {
    return ::testing::AssertionSuccess();
  }
  return ::testing::AssertionFailure() << log();
}

std::vector<std::string> thread_names(int pid) {
  const std::string process = pid == 0 ? "self" : std::to_string(pid);
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& task :
       std::filesystem::directory_iterator("/proc/" + process + "/task", error)) {
    std::string name;
    std::getline(std::ifstream(task.path() / "comm"), name);
    names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

size_t open_descriptors() {
  size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    ++count;
  }
  return count;
}

}  // namespace support
