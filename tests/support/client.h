// A client that blocks, of TCP or of a unix socket, with a deadline on everything. To a server
// "tls://" it speaks TLS, and ends it in good order.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "load/tls_client.h"
#include "support/wait.h"

namespace support {

// One thread at a time.
class Client {
 public:
  struct Options {
    int receive_buffer_bytes = 0;  // SO_RCVBUF before connect; 0: the system's
    std::string from{};            // an IPv4 address to bind to
  };
  // How the server's stream looks after the last call that received or sent.
  enum class End { kOpen, kEof, kReset, kDeadline };

  explicit Client(const std::string& url) : Client(url, Options()) {}
  Client(const std::string& url, const Options& options);
  Client(Client&& other) noexcept;
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  Client& operator=(Client&&) = delete;
  ~Client() { close(); }

  bool connected() const { return fd_ >= 0; }
  // Sends all of it. False on a reset or when the deadline has passed.
  bool send(std::string_view bytes);
  // Sends until the socket takes no more for `quiet`; returns the number of bytes taken.
  size_t send_until_full(std::string_view bytes,
                         std::chrono::milliseconds quiet = std::chrono::milliseconds(50));
  // Until `bytes` have come, or less at the end of the stream, a reset or the deadline.
  std::string receive(size_t bytes);
  // A line without its newline; what there was of it if the stream ends first.
  std::string line();
  // Everything until the end of the stream.
  std::string receive_all() { return converse({}); }
  // Sends `bytes` and receives at the same time, until the end of the stream. `ends`: our write
  // side is shut once all is sent.
  std::string converse(std::string_view bytes, bool ends = false);
  // Sends a line and returns the line that answers it.
  std::string ask(std::string_view request) {
    return send(std::string(request) + "\n") ? line() : std::string();
  }
  // True if something can be received, or the stream has ended, within `time`.
  bool readable_within(std::chrono::milliseconds time);
  // Waits until everything sent has arrived at the server's kernel.
  bool wait_all_arrived();

  void shutdown_write();
  void reset();  // SO_LINGER 0
  void close();

  End end() const { return end_; }
  int fd() const { return fd_; }
  uint16_t port() const;  // ours

 private:
  // False: `end_` says why.
  bool wait_for(short events, Clock::time_point until);
  bool receive_some(Clock::time_point until);
  enum class Try { kCame, kNothing, kEnded };
  Try try_receive();
  ssize_t send_some(std::string_view bytes);
  bool shake_hands();

  int fd_ = -1;
  End end_ = End::kOpen;
  std::unique_ptr<load::TlsStream> tls_;
  std::string received_;  // and not given out
};

}  // namespace support
