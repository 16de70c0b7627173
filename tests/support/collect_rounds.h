// Rounds of writing to `trireme serve collect` that end with kill -9 at a random moment.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace support {

// A directory that goes with the object.
class Scratch {
 public:
  Scratch();
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

class CollectRounds {
 public:
  explicit CollectRounds(std::string database) : database_(std::move(database)) {}

  // `writers` send numbered rows until the server is killed, after a number of rows that the seed
  // chooses; at the same moment `also` kills what else must die. Notes every row that was answered
  // OK.
  void write_and_kill(
      int writers, uint32_t seed, const std::function<void()>& also = [] {});
  // Starts the server once more and expects all of those rows.
  void expect_all_rows();

  size_t rows() const { return ok_.size(); }

 private:
  struct Row {
    std::string device;
    int number;
  };
  void write(const std::string& url, const std::string& device);

  const std::string database_;
  std::mutex mutex_;
  std::vector<Row> ok_;  // guarded by mutex_ while writers run
};

}  // namespace support
