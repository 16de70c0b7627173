// Goal: what a fuzzer has found once is never broken again, also where there is no fuzzer. Method:
// every file of the corpus, and mutants of it from a seed, through the entry that libFuzzer calls.
// A finding aborts, as it does under libFuzzer.
//
//   fuzz_replay NAME FILE-OR-FOLDER... [--mutants N] [--seed N]
#include <algorithm>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/system/random.h"

// FUZZ_TARGETS is a file that CMake writes: FUZZ_TARGET(name) for each file of this folder.
#define FUZZ_TARGET(name) extern "C" int fuzz_##name(const uint8_t* data, size_t size);
#include FUZZ_TARGETS
#undef FUZZ_TARGET

namespace {

namespace fs = std::filesystem;

struct Target {
  std::string_view name;
  int (*run)(const uint8_t* data, size_t size);
};

constexpr Target kTargets[] = {
#define FUZZ_TARGET(name) {#name, fuzz_##name},
#include FUZZ_TARGETS
#undef FUZZ_TARGET
};

struct Plan {
  const Target* target = nullptr;
  std::vector<fs::path> files{};
  uint64_t mutants = 200;  // of each file
  uint64_t seed = 1;
};

bool read_plan(int count, char** words, Plan& plan) {
  if (count < 3) return false;
  for (const Target& target : kTargets) {
    if (target.name == words[1]) plan.target = &target;
  }
  if (plan.target == nullptr) return false;
  for (int i = 2; i < count; ++i) {
    const std::string word = words[i];
    if ((word == "--mutants" || word == "--seed") && i + 1 < count) {
      (word == "--seed" ? plan.seed : plan.mutants) = std::strtoull(words[++i], nullptr, 10);
    } else if (fs::is_directory(word)) {
      for (const auto& entry : fs::directory_iterator(word)) plan.files.push_back(entry.path());
    } else {
      plan.files.push_back(word);
    }
  }
  std::sort(plan.files.begin(), plan.files.end());
  return true;
}

std::string content(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// In memory of its own size: the sanitizer sees what is read behind it.
void run(const Target& target, std::string_view input) {
  const std::vector<uint8_t> bytes(input.begin(), input.end());
  target.run(bytes.data(), bytes.size());
}

std::string mutant(std::string text, trireme::Random& random) {
  for (uint64_t changes = 1 + random.below(4); changes > 0; --changes) {
    const size_t at = random.below(text.size() + 1);
    const auto byte = static_cast<char>(random.below(256));
    switch (random.below(5)) {
      case 0:
        text.insert(at, 1, byte);
        break;
      case 1:
        text.erase(at, 1 + random.below(4));
        break;
      case 2:
        text.resize(at);
        break;
      case 3:
        text.insert(at, text.substr(random.below(text.size() + 1), random.below(32)));
        break;
      default:
        if (at < text.size()) text[at] = byte;
    }
  }
  return text;
}

}  // namespace

int main(int count, char** words) {
  Plan plan;
  if (!read_plan(count, words, plan)) {
    std::fprintf(stderr,
                 "usage: fuzz_replay NAME FILE-OR-FOLDER... [--mutants N] [--seed N]\nnames:");
    for (const Target& target : kTargets) std::fprintf(stderr, " %s", target.name.data());
    std::fprintf(stderr, "\n");
    return 2;
  }
  if (plan.files.empty()) {
    std::fprintf(stderr, "%s has no corpus\n", words[1]);
    return 1;
  }
  for (const fs::path& file : plan.files) {
    trireme::Random random(plan.seed);
    const std::string input = content(file);
    std::printf("%s\n", file.c_str());
    std::fflush(stdout);  // what aborts is the last one named
    run(*plan.target, input);
    for (uint64_t i = 0; i < plan.mutants; ++i) run(*plan.target, mutant(input, random));
  }
  std::printf("%zu files, %" PRIu64 " mutants of each\n", plan.files.size(), plan.mutants);
  return 0;
}
