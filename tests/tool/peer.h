// A server of bytes in the test's process, on its own thread, that does wrong what it is told to.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

namespace support {

class Peer {
 public:
  struct Options {
    enum class Way { kEcho, kDiscard, kSilent };  // silent: takes everything and never closes
    std::string url = "tcp";                      // "tcp", "tcp6", or a URL unix:...
    Way way = Way::kEcho;
    uint64_t flip_at = UINT64_MAX;      // of each connection, this byte comes back changed
    uint64_t close_after = UINT64_MAX;  // closes a connection that has sent so many bytes
    // Each so-many-th connection is closed at its first bytes, which are not answered. 0: none.
    uint64_t close_every = 0;
    bool accepts = true;     // false: the backlog is one, and stays full
    std::string greeting{};  // said to whoever connects
  };

  Peer() : Peer(Options()) {}
  explicit Peer(const Options& options);
  ~Peer();
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  const std::string& url() const { return url_; }
  uint64_t received() const { return received_; }  // bytes so far, of all connections
  uint64_t accepted() const { return accepted_; }

  // Reads nothing from when this returns until release().
  void hold();
  void release();

 private:
  void run();
  struct Client {
    uint64_t position = 0;  // of its stream
    bool unwanted = false;
  };
  bool serve(int fd, Client& client);  // false: close it
  void wait_while_held();

  const Options options_;
  std::string url_;
  int listener_ = -1;
  int wake_ = -1;  // an eventfd: look at hold and end
  std::atomic<uint64_t> received_{0};
  std::atomic<uint64_t> accepted_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
  bool hold_wanted_ = false;
  bool holding_ = false;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace support
