// What the tests of the services share.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <future>
#include <string>
#include <thread>

#include "services/collect.h"
#include "trireme/answer.h"

namespace services::testing {

// The line that a client of the line codec would read.
inline std::string line_of(const trireme::Answer& answer) {
  switch (answer.kind()) {
    case trireme::Answer::Kind::kBytes:
      return std::string(answer.text());
    case trireme::Answer::Kind::kError:
      return "ERR " + std::string(answer.text());
    case trireme::Answer::Kind::kBusy:
      return "BUSY";
    case trireme::Answer::Kind::kNone:
    case trireme::Answer::Kind::kAsIs:
      return "";
  }
  return "";
}

// What a client gets for a line of `collect`, once it is answered.
inline std::string ask(Collect& collect, std::string_view line,
                       Collect::Clock::time_point deadline = Collect::Clock::time_point::max()) {
  std::promise<std::string> answered;
  collect.answer(
      line, [&](trireme::Answer answer) { answered.set_value(line_of(answer)); }, deadline);
  return answered.get_future().get();
}

// True if `line` keeps the promises about error replies: `ERR` and a sentence, no newline, no full
// stop.
inline bool is_error_line(const std::string& line) {
  return line.starts_with("ERR ") && line.size() > 4 && line.find('\n') == std::string::npos &&
         !line.ends_with('.');
}

// Waits until `condition` holds; false after ten seconds.
inline bool eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

// A directory that goes with the object.
class ScratchDirectory {
 public:
  ScratchDirectory() : path_(::testing::TempDir() + "trireme-XXXXXX") {
    if (::mkdtemp(path_.data()) == nullptr) std::abort();
  }
  ~ScratchDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;

  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace services::testing
