// core_path: the whole path of a request - read, frame, lend, handle, reply, write - over a kernel
// that costs nothing (null_kernel.h). One loop, one connection, messages of 20 bytes that are
// echoed. Prints the
// CPU time of a request; bench/core/ratchet.sh counts its instructions.
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "core/null_kernel.h"
#include "runtime/threads/threads.h"
#include "trireme/trireme.h"

namespace bench { namespace {

constexpr char kHelp[] =
    "usage: core_path [--requests N] [--depth N] [--dispatch inline|workers|adaptive]\n"
    "                 [--codec lines|delimiter|length-prefix|varint|fixed]\n"
    "The CPU time of a request over a kernel that costs nothing; `depth` requests arrive at "
    "once.\n";

struct Arguments {
  uint64_t requests = 2'000'000;
  uint64_t depth = 1;
  trireme::Dispatch dispatch = trireme::Dispatch::kAdaptive;
  std::shared_ptr<const trireme::Codec> codec = trireme::lines();
};

bool parse_number(const char* text, uint64_t max, uint64_t& value) {
  char* end = nullptr;
  value = std::strtoull(text, &end, 10);
  return end != text && *end == '\0' && value > 0 && value <= max;
}

bool parse_dispatch(const char* text, trireme::Dispatch& dispatch) {
  constexpr const char* kNames[] = {"inline", "workers", "adaptive"};
  constexpr trireme::Dispatch kValues[] = {trireme::Dispatch::kInline, trireme::Dispatch::kWorkers,
                                           trireme::Dispatch::kAdaptive};
  for (size_t i = 0; i < std::size(kNames); ++i) {
    if (std::strcmp(text, kNames[i]) != 0) continue;
    dispatch = kValues[i];
    return true;
  }
  return false;
}

struct NamedCodec {
  const char* name;
  std::shared_ptr<const trireme::Codec> (*make)();
};
constexpr NamedCodec kCodecs[] = {
    {"lines", trireme::lines},
    {"delimiter", [] { return trireme::delimiter("\n"); }},
    {"length-prefix", [] { return trireme::length_prefix(); }},
    {"varint", [] { return trireme::varint(); }},
    {"fixed", [] { return trireme::fixed(20); }},
};

std::shared_ptr<const trireme::Codec> codec_of(const char* name) {
  for (const NamedCodec& codec : kCodecs) {
    if (std::strcmp(name, codec.name) == 0) return codec.make();
  }
  return nullptr;
}

std::string message_of(const trireme::Codec& codec) {
  const std::string body = "a line of some bytes";
  const trireme::Envelope around = codec.envelope(body.size());
  return std::string(around.head.data(), around.head_bytes) + body +
         std::string(around.tail.data(), around.tail_bytes);
}

bool parse(int count, char** words, Arguments& arguments) {
  for (int i = 1; i + 1 < count; i += 2) {
    const bool known = std::strcmp(words[i], "--requests") == 0
                           ? parse_number(words[i + 1], 1'000'000'000'000, arguments.requests)
                       : std::strcmp(words[i], "--depth") == 0
                           ? parse_number(words[i + 1], 1024, arguments.depth)
                       : std::strcmp(words[i], "--dispatch") == 0
                           ? parse_dispatch(words[i + 1], arguments.dispatch)
                           : std::strcmp(words[i], "--codec") == 0 &&
                                 (arguments.codec = codec_of(words[i + 1])) != nullptr;
    if (!known) return false;
  }
  return count % 2 == 1;
}

int run(const Arguments& arguments) {
  NullKernel kernel(arguments.requests, arguments.depth, message_of(*arguments.codec));
  const trireme::Platform& real = trireme::real_platform();
  const trireme::Platform platform{kernel, real.clock, real.threads};
  trireme::Server server({.io_workers = 1, .data_workers = 4, .dispatch = arguments.dispatch},
                         platform);
  server.listen("tcp://127.0.0.1:0", arguments.codec,
                [](const trireme::Request& request) -> trireme::Answer { return request.text(); });
  if (const auto started = server.start(); !started) {
    std::fprintf(stderr, "core_path: %s\n", started.error().message.c_str());
    return 1;
  }
  kernel.wait_closed();
  const trireme::Stats stats = server.stats();
  server.drain();
  if (stats.replies != arguments.requests) {
    std::fprintf(stderr, "core_path: %" PRIu64 " replies to %" PRIu64 " requests\n",
                 uint64_t{stats.replies}, arguments.requests);
    return 1;
  }
  std::printf("requests %" PRIu64 " depth %" PRIu64 " ns_per_request %.1f hand_overs %" PRIu64 "\n",
              arguments.requests, arguments.depth, kernel.ns_per_request(),
              uint64_t{stats.hand_overs});
  return 0;
}

}  // namespace
}  // namespace bench

int main(int count, char** words) {
  bench::Arguments arguments;
  if (count == 2 && std::strcmp(words[1], "--help") == 0) {
    std::fputs(bench::kHelp, stdout);
    return 0;
  }
  if (!bench::parse(count, words, arguments)) {
    std::fputs(bench::kHelp, stderr);
    return 2;
  }
  return bench::run(arguments);
}
