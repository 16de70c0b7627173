// One end of a simulated TCP connection, or a listener: Linux's behaviour as a program sees it.
//
// Step: none, test support. Thread: any fiber of the world; no call contains a scheduling point.
//
//   kFresh --listen--> kListening            kListening --shutdown(RD)--> kFresh
//   kFresh --connect-> kConnecting --SYN-ACK--> kEstablished --RST, or both FINs--> kClosed
//                      kConnecting --RST, too many tries--> kClosed
//   kClosed (refused) --connect--> ECONNABORTED once, then as kFresh
//
// Rules, each compared with the real kernel by tests/simulator/parity_test.cc:
// 1. What has arrived can be read after a RST; then comes the error, once; then end of stream.
//    After a FIN has been seen, reading gives end of stream even if a RST follows.
// 2. A RST sets EPIPE when the peer's FIN has come and ours has not gone, ECONNREFUSED while
//    connecting, else ECONNRESET. The first call that asks takes the error away.
// 3. Closing with unread input sends RST instead of FIN, and so do bytes that reach a closed
//    descriptor. Bytes that come after shutdown(RDWR) reset both sides.
// 4. HUP: both directions are shut, or the connection is closed or was never made. RDHUP: the
//    receiving direction is shut. OUT: a third of the send buffer is free, or sending is shut.
// 5. An OUT edge comes only after somebody found the socket not writable.
#pragma once

#include <algorithm>
#include <deque>
#include <memory>
#include <span>
#include <string>

#include "runtime/system/kernel.h"
#include "sim/scheduler.h"
#include "sim/stream_socket.h"

namespace trireme { inline namespace v0 { namespace sim {

class Network;

// Owners of a socket: its descriptor (or the accept queue of its listener), its peer's link, and
// deliveries on their way to it. The link of a pair is a cycle; it is cut when a RST has arrived
// or both descriptors are closed.
class Socket final : public StreamSocket, public std::enable_shared_from_this<Socket> {
 public:
  enum class State : uint8_t { kFresh, kListening, kConnecting, kEstablished, kClosed };

  Socket(Network& network, int family);

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
  int64_t quiet_ms() const override;
  int shutdown(int how) override;
  void reset_descriptor() override;
  void close_descriptor() override;
  uint32_t poll() override;

  State state() const { return state_; }
  int family() const override { return family_; }
  bool is_listening() const override { return state_ == State::kListening; }
  bool is_connecting() const override { return state_ == State::kConnecting; }

 private:
  friend class Network;
  struct Segment {
    enum class Kind : uint8_t { kEstablished, kData, kFin, kReset } kind;
    TimePoint due;
    std::string bytes;
  };
  // What set_option has set.
  struct Options {
    bool reuse_address = false;
    bool reuse_port = false;
    bool v6_only = false;
    size_t receive_buffer;
    size_t send_buffer;
  };
  // How far each direction has ended: shut for the program, and what of it went over the wire.
  struct Directions {
    bool receive_shut = false;
    bool send_shut = false;
    bool fin_seen = false;
    bool fin_sent = false;
    bool fin_acknowledged = false;
  };
  // Bytes that have arrived and were not read yet.
  class Received {
   public:
    size_t bytes() const { return all_.size() - taken_; }
    void append(std::string bytes);
    // As many as there are and fit.
    size_t take(std::span<char> into);
    void drop() { *this = {}; }

   private:
    std::string all_;  // the first `taken_` of them are read
    size_t taken_ = 0;
  };
  // Segments on their way, in order.
  class Transit {
   public:
    explicit Transit(TimePoint now) : last_due_(now) {}
    bool is_empty() const { return segments_.empty(); }
    size_t count() const { return segments_.size(); }
    size_t bytes() const { return bytes_; }
    bool is_due(TimePoint now) const { return !is_empty() && segments_.front().due <= now; }
    // When one arrives that would arrive at `due`: none overtakes another.
    TimePoint due_behind(TimePoint due) { return last_due_ = std::max(last_due_, due); }
    void add(Segment segment);
    Segment take();
    void lose_last();
    void drop();

   private:
    std::deque<Segment> segments_;
    size_t bytes_ = 0;
    TimePoint last_due_;
  };

  // Deliveries (socket_segments.cc). `transmit` queues at the peer what this side sends.
  void transmit(Segment::Kind kind, std::string bytes);
  void transmit_reset();
  void deliver_due();
  void deliver(Segment segment);
  void on_established();
  void on_data(std::string bytes);
  void on_fin();
  void on_fin_acknowledged();
  void on_reset();
  void send_fin();
  void cut_link();

  void become_closed();
  void close_listener();
  void refuse_connection(int error);
  bool is_closed() const { return state_ == State::kFresh || state_ == State::kClosed; }
  size_t room_to_send() const;
  bool is_writable();
  void announce_room();
  size_t unread_bytes() const { return received_.bytes(); }

  Network& network_;
  const int family_;
  State state_ = State::kFresh;
  SocketAddress local_;
  SocketAddress remote_;
  bool bound_ = false;
  Options options_;
  Directions directions_;
  bool connect_reported_ = false;
  bool orphan_ = false;      // the descriptor is closed
  bool wants_room_ = false;  // SOCK_NOSPACE: somebody found no room to send
  bool squeezed_ = false;    // fault: the send buffer has no room for a while
  int error_ = 0;            // SO_ERROR, positive

  std::shared_ptr<Socket> peer_;
  Received received_;
  Transit transit_;      // to this side
  TimePoint last_data_;  // when bytes came or went

  // Listener.
  int backlog_ = 0;
  std::deque<std::shared_ptr<Socket>> accept_queue_;
};

}}}  // namespace trireme::sim
