#include "sim/explorer.h"

#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <new>

#include "sim/fail.h"
#include "trireme/sim/world.h"

namespace trireme { inline namespace v0 { namespace sim {
namespace {

constexpr size_t kSaidBytesMax = 16'384;

void set_alarm(std::chrono::milliseconds time) {
  itimerval timer{};
  timer.it_value.tv_sec = time.count() / 1'000;
  timer.it_value.tv_usec = static_cast<suseconds_t>(time.count() % 1'000 * 1'000);
  ::setitimer(ITIMER_REAL, &timer, nullptr);
}

std::string read_all(int fd) {
  std::string text;
  const off_t size = ::lseek(fd, 0, SEEK_END);
  if (size <= 0) return text;
  // The end is what matters: there the process says why it ends.
  const auto bytes = std::min<size_t>(static_cast<size_t>(size), kSaidBytesMax);
  text.resize(bytes);
  const ssize_t got = ::pread(fd, text.data(), bytes, size - static_cast<off_t>(bytes));
  text.resize(got < 0 ? 0 : static_cast<size_t>(got));
  return text;
}

// The line on standard error that says best why a process has died: the simulator's, a failed
// check's or a sanitizer's, else the last one.
std::string telling_line(const std::string& said) {
  std::string last;
  size_t begin = 0;
  while (begin < said.size()) {
    const size_t end = std::min(said.find('\n', begin), said.size());
    const std::string line = said.substr(begin, end - begin);
    begin = end + 1;
    if (line.empty()) continue;
    last = line;
    for (const char* mark : {"simulator: ", "check failed", "ERROR: ", "terminate called"}) {
      if (line.find(mark) != std::string::npos) return line;
    }
  }
  return last;
}

std::string without_digits(const std::string& text) {
  std::string plain;
  for (const char letter : text) {
    if (std::isdigit(static_cast<unsigned char>(letter)) == 0) plain += letter;
  }
  return plain;
}

}  // namespace

Explorer::Explorer(const ExploreOptions& options, const Scenario& scenario)
    : options_(options), scenario_(scenario) {
  void* map =
      ::mmap(nullptr, sizeof(RunRecord), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (map == MAP_FAILED) fail("no memory for the record of a run.");
  record_ = static_cast<RunRecord*>(map);  // zeroes are a record
}

Explorer::~Explorer() { ::munmap(record_, sizeof(RunRecord)); }

void Explorer::run_seed(const Plan& plan, bool in_copy) {
  record_->seed = plan.seed;
  Director director(*record_, &plan, in_copy);
  uint64_t hash = 0;
  {
    World world(plan.seed, options_.world, director);
    world.run([&] { scenario_(world); });
    if (world.open_descriptors() != 0) director.fail("the server has left descriptors open", {});
    if (world.living_threads() != 0) director.fail("threads of the server live on", {});
    hash = world.trace_hash();
  }
  record_->hash_sum = (record_->hash_sum ^ hash) * 0x9e3779b97f4a7c15ULL;
  ++record_->runs;
}

void Explorer::run_seeds(const Plan& plan, uint64_t seeds, bool in_copy) {
  Plan one = plan;
  for (uint64_t i = 0; i < seeds; ++i) {
    one.seed = plan.seed + i;
    if (in_copy) set_alarm(options_.run_time_max);
    run_seed(one, in_copy);
  }
}

void Explorer::run_here(const Plan& plan) {
  record_->keeps_lines = false;
  run_seeds(plan, 1, false);
}

FailedRun Explorer::run(const Plan& plan, uint64_t seeds, bool keeps_lines) {
  record_->seed = plan.seed;
  record_->hash_sum = hash_sum_;
  record_->runs = 0;
  record_->keeps_lines = keeps_lines;
  record_->failed = false;
  const int said = ::memfd_create("said", MFD_CLOEXEC);
  if (said < 0) fail("no memory for the words of a run.");
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child < 0) fail("no process for a run.");
  if (child == 0) {
    std::signal(SIGALRM, SIG_DFL);
    std::signal(SIGABRT, SIG_DFL);
    ::dup2(said, STDERR_FILENO);
    run_seeds(plan, seeds, true);
    std::fflush(nullptr);
    ::_exit(0);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  FailedRun run = collect(status, said);
  ::close(said);
  runs_ += record_->runs + (run.failed ? 1 : 0);
  if (!run.failed) hash_sum_ = record_->hash_sum;
  return run;
}

FailedRun Explorer::collect(int status, int stderr_copy) {
  FailedRun run;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return run;
  run.failed = true;
  run.seed = record_->seed;
  run.said = read_all(stderr_copy);
  if (record_->failed) {
    run.sentence = record_->sentence;
    run.where = record_->where;
    run.key = run.where.empty() ? without_digits(run.sentence) : run.where;
  } else {
    const std::string line = telling_line(run.said);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) {
      run.sentence = "the run takes too long in real time: it blocks or spins outside of the world";
    } else if (WIFSIGNALED(status)) {
      run.sentence = std::string("the process ends by a signal, ") + ::strsignal(WTERMSIG(status));
    } else {
      run.sentence = "the process ends with status " + std::to_string(WEXITSTATUS(status));
    }
    if (!line.empty()) run.sentence += ": " + line;
    run.key = without_digits(run.sentence);
  }
  run.clients_made = record_->clients_count;
  for (uint32_t i = 0; i < record_->clients_count; ++i) {
    run.client_names.emplace_back(record_->client_names[i]);
    if (record_->takes_part[i]) run.clients.push_back(i + 1);
  }
  run.faults.assign(record_->faults, record_->faults + record_->faults_count);
  run.fault_times.assign(record_->fault_times, record_->fault_times + record_->faults_count);
  const uint32_t lines = record_->lines_count;
  const uint32_t first = lines > RunRecord::kLinesMax ? lines - RunRecord::kLinesMax : 0;
  for (uint32_t i = first; i < lines; ++i) {
    run.lines.emplace_back(record_->lines[i % RunRecord::kLinesMax]);
  }
  return run;
}

}}}  // namespace trireme::sim
