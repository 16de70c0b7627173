// pause_timer: how long do the other clients of a loop wait when a handler blocks that never
// blocked before, or did so lately? Speaks to a server of the `delay` protocol. Pairs of short
// windows, in one of which (by chance) another client asks for a long sleep; in both a prober asks
// for nothing but an answer, one request at a time, and its longest wait is noted. The difference
// within a pair is the added pause. `first` is the time from asking for the sleep to the answer to
// what the prober asked right behind it: from the lend of the loop to the first event that the
// spare serves, and the way there and back besides.
//
// Between pairs the prober goes on, so that a server that learns forgets the sleeper: otherwise the
// next sleep would start where it harms nobody. `felt` counts the windows in which it did. With a
// rest of more than a second after each pair a server that looks out for handlers that wait has
// stopped that, too: then each sleep is the first.
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "load/clocks.h"
#include "load/endpoint.h"
#include "support/arguments.h"

namespace bench { namespace {

constexpr char kHelp[] =
    "pause_timer tcp://A.B.C.D:PORT [option]...\n"
    "\n"
    "  --pairs N        windows with and without a sleep (300)\n"
    "  --window-ms N    length of a window (20)\n"
    "  --gap-ms N       traffic between two windows (200)\n"
    "  --rest-ms N      more of it after each pair (0)\n"
    "  --sleep-ms N     what the handler sleeps (1000)\n"
    "  --seed N         of the order within pairs (1)\n";
constexpr int64_t kMillisecond = 1'000'000;
constexpr int kAnswerWithinMs = 10'000;

struct Setting {
  int pairs = 300;
  int64_t window_ns = 20 * kMillisecond;
  int64_t gap_ns = 200 * kMillisecond;
  int64_t rest_ns = 0;
  int64_t sleep_us = 1'000'000;
  uint64_t seed = 1;
};

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "pause_timer: %s (errno %d)\n", what, errno);
  std::exit(1);
}

void send_line(int fd, const std::string& line) {
  if (send(fd, line.data(), line.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(line.size())) {
    fail("a request was not taken");
  }
}

// One request there and back; how long it took.
int64_t ask(int fd, const std::string& line, const std::string& answer) {
  const int64_t begin = load::now_ns();
  send_line(fd, line);
  std::string got;
  while (got.size() < answer.size()) {
    char buffer[64];
    const ssize_t bytes = recv(fd, buffer, sizeof(buffer), 0);
    if (bytes > 0) {
      got.append(buffer, static_cast<size_t>(bytes));
      continue;
    }
    if (bytes == 0 || errno != EAGAIN) fail("the connection ended");
    pollfd waiting{.fd = fd, .events = POLLIN, .revents = 0};
    if (poll(&waiting, 1, kAnswerWithinMs) == 0) fail("no answer within 10 s");
  }
  if (got != answer) fail("a wrong answer");
  return load::now_ns() - begin;
}

struct Window {
  int64_t longest_ns = 0;  // wait of the prober
  int64_t first_ns = 0;    // from the sleeper's request to the prober's next answer
};

// What a prober sees in the next `length_ns`. `sleeper`: asks for the sleep a tenth into it.
Window probe(int prober, int64_t length_ns, int sleeper, const std::string& sleep) {
  const int64_t begin = load::now_ns();
  Window window;
  while (load::now_ns() - begin < length_ns) {
    int64_t asleep = 0;
    if (sleeper >= 0 && load::now_ns() - begin > length_ns / 10) {
      asleep = load::now_ns();
      send_line(sleeper, sleep);
      sleeper = -1;
    }
    window.longest_ns = std::max(window.longest_ns, ask(prober, "p 0\n", "p\n"));
    if (asleep > 0) window.first_ns = load::now_ns() - asleep;
  }
  return window;
}

int64_t at(const std::vector<int64_t>& sorted, double share) {
  const auto last = static_cast<double>(sorted.size() - 1);
  return sorted[static_cast<size_t>(share * last)];
}

void print(const char* name, std::vector<int64_t> values) {
  std::sort(values.begin(), values.end());
  std::printf("%s_us p50 %" PRId64 " p90 %" PRId64 " p99 %" PRId64 " max %" PRId64 "\n", name,
              at(values, 0.5) / 1000, at(values, 0.9) / 1000, at(values, 0.99) / 1000,
              values.back() / 1000);
}

int measure(const load::Endpoint& server, const Setting& setting) {
  std::mt19937_64 random(setting.seed);
  const int prober = load::open_client_blocking(server);
  if (prober < 0) fail("cannot connect");
  const std::string sleep = "s " + std::to_string(setting.sleep_us) + "\n";
  probe(prober, 1000 * kMillisecond, -1, sleep);
  std::vector<int64_t> with, without, added, first_answers;
  std::vector<int> sleepers;
  int felt = 0;
  for (int pair = 0; pair < setting.pairs; ++pair) {
    const bool first = random() % 2 == 0;
    Window seen[2];
    for (int turn = 0; turn < 2; ++turn) {
      int sleeper = -1;
      const bool sleeps = (turn == 0) == first;
      if (sleeps) {
        sleeper = load::open_client_blocking(server);
        if (sleeper < 0) fail("cannot connect");
        sleepers.push_back(sleeper);
      }
      seen[sleeps ? 1 : 0] = probe(prober, setting.window_ns, sleeper, sleep);
      probe(prober, setting.gap_ns, -1, sleep);
      if (sleepers.size() > 64) {  // their sleeps are long over
        close(sleepers.front());
        sleepers.erase(sleepers.begin());
      }
    }
    probe(prober, setting.rest_ns, -1, sleep);
    without.push_back(seen[0].longest_ns);
    with.push_back(seen[1].longest_ns);
    added.push_back(seen[1].longest_ns - seen[0].longest_ns);
    first_answers.push_back(seen[1].first_ns);
    if (seen[1].longest_ns > kMillisecond) ++felt;
  }
  for (const int sleeper : sleepers) close(sleeper);
  print("quiet", without);
  print("stalled", with);
  print("added", added);
  print("first", first_answers);
  std::printf("felt %d of %d\n", felt, setting.pairs);
  return 0;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  bench::Arguments arguments(argc, argv);
  if (arguments.flag("--help")) {
    std::fputs(bench::kHelp, stdout);
    return 0;
  }
  bench::Setting setting;
  setting.pairs = static_cast<int>(arguments.number("--pairs", 300, 1, 100'000));
  setting.window_ns =
      static_cast<int64_t>(arguments.number("--window-ms", 20, 1, 10'000)) * bench::kMillisecond;
  setting.gap_ns =
      static_cast<int64_t>(arguments.number("--gap-ms", 200, 1, 10'000)) * bench::kMillisecond;
  setting.rest_ns =
      static_cast<int64_t>(arguments.number("--rest-ms", 0, 0, 10'000)) * bench::kMillisecond;
  setting.sleep_us = static_cast<int64_t>(arguments.number("--sleep-ms", 1000, 1, 60'000)) * 1000;
  setting.seed = static_cast<uint64_t>(arguments.number("--seed", 1, 0, 1e15));
  const std::vector<std::string> words = arguments.words();
  if (words.size() != 1) bench::fail_usage("pause_timer needs one URL, tcp://HOST:PORT");
  const auto server = load::resolve_url(words[0]);
  if (!server) bench::fail_usage(server.error().message);
  return bench::measure(server.value(), setting);
}
