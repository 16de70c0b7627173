// What the tests of the program `trireme bench` share: a run, and a look into its result.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "support/child.h"
#include "support/text.h"

using support::contains;
namespace support {

using Words = std::vector<std::string>;

// A run of `bench` that is over.
struct Ended {
  int status;
  std::string out;
  std::string errors;
};

inline Words bench_words(const Words& words) {
  Words line = {"bench"};
  line.insert(line.end(), words.begin(), words.end());
  return line;
}

inline Ended bench(const Words& words, const Child::Options& options = {}) {
  Child child(bench_words(words), options);
  const int status = child.wait_exit();
  return {status, child.out(), child.errors()};
}

// A short run with its result as JSON.
inline Ended short_run(Words words, const char* duration = "300ms") {
  for (const char* word : {"--duration", duration, "--warm-up", "50ms", "--json"}) {
    words.emplace_back(word);
  }
  return bench(words);
}

// The first number behind `"name": ` in `json`, after `within` has occurred.
inline double number(const std::string& json, const std::string& name,
                     const std::string& within = "") {
  const size_t from = json.find(within);
  const std::string key = "\"" + name + "\": ";
  const size_t at = from == json.npos ? json.npos : json.find(key, from);
  EXPECT_NE(at, json.npos) << name << " in " << json;
  return at == json.npos ? -1 : std::strtod(json.c_str() + at + key.size(), nullptr);
}

// A file that goes with the object.
class TextFile {
 public:
  explicit TextFile(const std::string& text)
      : path_(::testing::TempDir() + "bench-" + std::to_string(::getpid()) + "-" +
              std::to_string(next_++)) {
    std::ofstream(path_) << text;
  }
  ~TextFile() { std::filesystem::remove(path_); }
  TextFile(const TextFile&) = delete;
  TextFile& operator=(const TextFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  static inline int next_ = 0;
  const std::string path_;
};

}  // namespace support
