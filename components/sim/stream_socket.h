// What a program sees of a socket, whatever its family: TCP (socket.h) or unix (unix_socket.h).
//
// Step: none, test support. Thread: any fiber of the world; no call contains a scheduling point.
#pragma once

#include <cerrno>
#include <memory>
#include <span>
#include <string_view>

#include "runtime/system/kernel.h"
#include "sim/pollable.h"

namespace trireme { inline namespace v0 { namespace sim {

class StreamSocket : public Pollable {
 public:
  // Each call answers as the one of `Kernel` does.
  virtual int bind(const SocketAddress& address) = 0;
  virtual int listen(int backlog) = 0;
  virtual int connect(const SocketAddress& address) = 0;
  // 0, and the oldest connection that waits; or a negative errno.
  virtual int accept(std::shared_ptr<StreamSocket>& connection, SocketAddress& peer) = 0;
  virtual int set_option(int level, int name, int value) = 0;
  virtual int set_text_option(int level, int name, std::string_view value) = 0;
  virtual int take_error() = 0;
  virtual const SocketAddress& local_address() const = 0;

  virtual ssize_t receive(std::span<char> into) = 0;
  virtual ssize_t send(std::span<const iovec> from) = 0;
  virtual ssize_t bytes_readable() const = 0;
  // What has arrived is announced once more, soon: after an EAGAIN that should not have been.
  virtual void announce_later() = 0;
  virtual ssize_t bytes_unsent() const = 0;
  virtual int64_t quiet_ms() const = 0;
  virtual int shutdown(int how) = 0;
  // SO_LINGER with time 0, then close: with TCP both directions are destroyed.
  virtual void reset_descriptor() = 0;

  bool resets_at_close = false;  // SO_LINGER with time 0 was set

  virtual int family() const = 0;
  virtual bool is_listening() const = 0;
  virtual bool is_connecting() const = 0;
  // SO_PEERCRED. Nobody, as Linux says of what is no connected unix socket.
  virtual Credentials peer_credentials() const { return {0, UINT32_MAX, UINT32_MAX}; }
  // fchmod(2): what a file that bind makes will have.
  virtual void set_mode(uint32_t) {}
};

}}}  // namespace trireme::sim
