// The peer Asio with callbacks: a session object a connection, kept alive by its handlers; one
// io_context a thread, the threads sharing the port. With --pool a session posts the lines it has
// read to an asio::thread_pool, which posts the replies back.
#include <array>
#include <asio.hpp>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "floor/listener.h"
#include "peers/arguments.h"
#include "peers/asio_lines.h"

namespace {

using asio::ip::tcp;

class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(tcp::socket socket, bool delay, asio::thread_pool* pool)
      : socket_(std::move(socket)), delay_(delay), pool_(pool) {}

  void read() {
    socket_.async_read_some(asio::buffer(input_),
                            [self = shared_from_this()](std::error_code error, size_t size) {
                              if (!error) self->handle(size);
                            });
  }

 private:
  void handle(size_t size) {
    if (!delay_) return write(input_.data(), size);
    if (!lines_.add(input_.data(), size)) return;  // an over-long line: the last owner leaves
    if (!lines_.has_whole()) return read();
    if (pool_ == nullptr) return write_answers(lines_.answer());
    asio::post(*pool_, [self = shared_from_this()] {
      std::string answers = self->lines_.answer();
      asio::post(self->socket_.get_executor(), [self, answers = std::move(answers)]() mutable {
        self->write_answers(std::move(answers));
      });
    });
  }

  void write_answers(std::string answers) {
    output_ = std::move(answers);
    write(output_.data(), output_.size());
  }

  void write(const char* bytes, size_t size) {
    asio::async_write(socket_, asio::buffer(bytes, size),
                      [self = shared_from_this()](std::error_code error, size_t) {
                        if (!error) self->read();
                      });
  }

  tcp::socket socket_;
  const bool delay_;
  asio::thread_pool* const pool_;
  Lines lines_;
  std::string output_;
  std::array<char, 64 * 1024> input_;
};

class Listener {
 public:
  Listener(asio::io_context& context, int fd, bool delay, asio::thread_pool* pool)
      : acceptor_(context, tcp::v4(), fd), delay_(delay), pool_(pool) {
    accept();
  }

 private:
  void accept() {
    acceptor_.async_accept([this](std::error_code error, tcp::socket socket) {
      if (!error) {
        socket.set_option(tcp::no_delay(true), error);
        std::make_shared<Session>(std::move(socket), delay_, pool_)->read();
      }
      accept();
    });
  }

  tcp::acceptor acceptor_;
  const bool delay_;
  asio::thread_pool* const pool_;
};

}  // namespace

int main(int argc, char** argv) {
  const arguments arguments = parse_arguments(argc, argv, true);
  prepare_process();
  std::optional<asio::thread_pool> pool;
  if (arguments.pool > 0) pool.emplace(static_cast<size_t>(arguments.pool));
  uint16_t port = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < arguments.threads; ++i) {
    const int fd = open_listener(&port, true);
    threads.emplace_back([&, fd] {
      asio::io_context context(1);
      const Listener listener(context, fd, arguments.delay, pool ? &*pool : nullptr);
      context.run();
    });
  }
  say_listening(port);
  for (std::thread& thread : threads) thread.join();
}
