// A client in a simulated world: programmatic (Client) or as a list of steps (Script).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "trireme/sim/where.h"

namespace trireme { inline namespace v0 { namespace sim {

class World;

// Blocking calls in virtual time. The world makes it and runs its function on a fiber of its own.
//
// What the server should not have done ends the run: a wrong byte, an end or a reset that nobody
// asked for, silence for longer than the client's patience. A fault of the world does not: when it
// resets the connection, the next call leaves the client's function by an exception that is no
// std::exception. The function must let it pass; the client counts as lost.
//
// Every function may be called on the fiber of the client only.
class Client {
 public:
  // How a client takes what the server sends.
  struct Reading {
    size_t bytes_max = 65'536;          // of one receive
    std::chrono::nanoseconds pause{0};  // after each
    std::chrono::nanoseconds delay{0};  // before the first one
  };

  // Client's fiber. Closes.
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Client's fiber. Connects to a URL of the simulated server, "tcp://HOST:PORT",
  // "unix:/path" or "unix:@name", as Server::urls() writes it; HOST is a number or "localhost".
  // Refusal ends the run.
  void connect(std::string_view url, Where where = Where::here());
  // Client's fiber. False when the server refuses or the client's patience ends.
  bool try_connect(std::string_view url);

  // Client's fiber. Returns when the network has taken all bytes.
  void send(std::string_view bytes, Where where = Where::here());
  // Client's fiber. Exactly these bytes come next.
  void expect(std::string_view bytes, Where where = Where::here());
  // Client's fiber. The server ends its stream and sends nothing before that.
  void expect_end(Where where = Where::here());
  // Client's fiber. Up to and without "\n".
  std::string read_line(Where where = Where::here());
  // Client's fiber. So many bytes.
  std::string read(size_t bytes, Where where = Where::here());
  // Client's fiber. All until the server ends its stream. A reset ends the run.
  std::string read_to_end(Where where = Where::here());
  // Client's fiber. What comes within `time`, until the end of the stream or a reset.
  std::string read_for(std::chrono::nanoseconds time);

  // Client's fiber. Half-close: the server sees the end of the stream; replies still come.
  void end(Where where = Where::here());
  // Client's fiber. The server sees ECONNRESET.
  void reset();
  // Client's fiber. As close(2): a reset when there is something unread. Done at the end of the
  // client's function, too.
  void close();

  // Client's fiber. Does nothing for this long, and reads nothing.
  void pause(std::chrono::nanoseconds time);
  // Client's fiber. From now on it reads like this.
  void read_slowly(const Reading& reading);
  // Client's fiber. How long it waits for one thing: 60 s at first.
  void set_patience(std::chrono::nanoseconds time);

  // Client's fiber. In the order of World::client(), from 1.
  uint32_t number() const;
  const std::string& name() const;
  bool connected() const;
  // Client's fiber. A number in [0, bound), from the seed and the client's number alone.
  uint64_t below(uint64_t bound);

 private:
  friend class World;
  struct Impl;
  explicit Client(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// What a client does, step by step. Each function adds a step and does nothing else.
//
//   world.client("ada", sim::Script().connect(url).send("hi\n").expect("ada: hi\n").end());
class Script {
 public:
  // Any thread, all of them. As the functions of Client with the same names.
  Script& connect(std::string url, Where where = Where::here());
  Script& send(std::string bytes, Where where = Where::here());
  Script& expect(std::string bytes, Where where = Where::here());
  Script& expect_end(Where where = Where::here());
  Script& end(Where where = Where::here());
  Script& reset();
  Script& close();
  Script& pause(std::chrono::nanoseconds time);
  Script& read_slowly(const Client::Reading& reading);
  Script& set_patience(std::chrono::nanoseconds time);

  // Client's fiber. Does all steps.
  void operator()(Client& client) const;

 private:
  std::vector<std::function<void(Client&)>> steps_;
};

}}}  // namespace trireme::sim
