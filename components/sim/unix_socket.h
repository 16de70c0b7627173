// One end of a simulated unix stream connection, or a listener: Linux's behaviour as a program sees
// it (unix(7)).
//
// Step: none, test support. Thread: any fiber of the world; no call contains a scheduling point.
//
// Where it differs from TCP, each compared with the real kernel by tests/simulator/parity_test.cc:
// 1. There is no network: connect answers at once, EAGAIN when the backlog is full; what was sent
//    has arrived; what one side shuts, the other side finds shut in the same moment.
// 2. A close shuts both directions of the other side. If it left something unread, that side reads
//    what has arrived, then gets ECONNRESET once, then the end of the stream; sending is EPIPE.
// 3. The bytes of a send count for its sender until the last of them is read. Then, if a quarter of
//    the buffer or less is in use, an OUT edge comes, also when nobody had found it full.
// 4. The name of a listener outlives it if it is a path: connecting is refused until the file goes.
#pragma once

#include <deque>
#include <memory>
#include <string>

#include "sim/stream_socket.h"

namespace trireme { inline namespace v0 { namespace sim {

class Network;

// Owners: its descriptor (or the accept queue of its listener), and its peer's link, which is cut
// when one of both descriptors is closed.
class UnixSocket final : public StreamSocket, public std::enable_shared_from_this<UnixSocket> {
 public:
  // `owner`: of the process that has it.
  UnixSocket(Network& network, const Credentials& owner);

  int bind(const SocketAddress& address) override;
  int listen(int backlog) override;
  int connect(const SocketAddress& address) override;
  int accept(std::shared_ptr<StreamSocket>& connection, SocketAddress& peer) override;
  int set_option(int level, int name, int value) override;
  int set_text_option(int level, int name, std::string_view value) override;
  int take_error() override;
  const SocketAddress& local_address() const override { return local_; }

  ssize_t receive(std::span<char> into) override;
  ssize_t send(std::span<const iovec> from) override;
  ssize_t bytes_readable() const override;
  void announce_later() override;
  ssize_t bytes_unsent() const override;
  int64_t quiet_ms() const override { return -EOPNOTSUPP; }
  int shutdown(int how) override;
  void reset_descriptor() override { close_descriptor(); }
  void close_descriptor() override;
  uint32_t poll() override;

  int family() const override { return AF_UNIX; }
  bool is_listening() const override { return state_ == State::kListening; }
  bool is_connecting() const override { return false; }
  Credentials peer_credentials() const override { return peer_credentials_; }
  void set_mode(uint32_t mode) override { mode_ = mode; }

 private:
  enum class State : uint8_t { kFresh, kListening, kConnected, kClosed };

  void shut(bool receiving, bool sending);
  void lose_peer(bool with_unread);
  bool is_writable() const;
  void announce_room();

  Network& network_;
  const Credentials owner_;
  Credentials peer_credentials_{0, UINT32_MAX, UINT32_MAX};
  State state_ = State::kFresh;
  SocketAddress local_;
  SocketAddress remote_;
  uint32_t mode_ = 0777;
  bool receive_shut_ = false;
  bool send_shut_ = false;
  bool squeezed_ = false;  // fault: there is no room for a while
  int error_ = 0;          // SO_ERROR, positive

  std::shared_ptr<UnixSocket> peer_;
  std::deque<std::string> received_;  // each send a piece
  size_t front_taken_ = 0;            // of the first of them
  size_t unread_bytes_ = 0;
  size_t in_use_ = 0;  // of our send buffer: pieces at the peer that are not read to their ends
  size_t send_buffer_;

  int backlog_ = 0;
  std::deque<std::shared_ptr<UnixSocket>> accept_queue_;
};

}}}  // namespace trireme::sim
