// The peer Asio with C++20 coroutines: one a connection, straight from top to bottom; one
// io_context a thread, the threads sharing the port. With --pool the coroutine hops to an
// asio::thread_pool to answer and back to write.
#include <array>
#include <asio.hpp>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "floor/listener.h"
#include "peers/arguments.h"
#include "peers/asio_lines.h"

namespace {

using asio::awaitable;
using asio::use_awaitable;
using asio::ip::tcp;

constexpr size_t kReadBytes = 64 * 1024;

awaitable<void> echo(tcp::socket socket) {
  try {
    std::array<char, kReadBytes> input;
    for (;;) {
      const size_t size = co_await socket.async_read_some(asio::buffer(input), use_awaitable);
      co_await asio::async_write(socket, asio::buffer(input.data(), size), use_awaitable);
    }
  } catch (const std::system_error&) {
    // The client has gone.
  }
}

awaitable<std::string> answer(Lines& lines) { co_return lines.answer(); }

awaitable<void> delay(tcp::socket socket, asio::thread_pool* pool) {
  try {
    Lines lines;
    std::array<char, kReadBytes> input;
    for (;;) {
      const size_t size = co_await socket.async_read_some(asio::buffer(input), use_awaitable);
      if (!lines.add(input.data(), size)) co_return;
      if (!lines.has_whole()) continue;
      // Not one conditional expression: g++ 12 destroys its string before the write.
      std::string answers;
      if (pool == nullptr) {
        answers = lines.answer();
      } else {
        answers = co_await asio::co_spawn(*pool, answer(lines), use_awaitable);
      }
      co_await asio::async_write(socket, asio::buffer(answers), use_awaitable);
    }
  } catch (const std::system_error&) {
    // The client has gone.
  }
}

awaitable<void> listen(tcp::acceptor acceptor, bool lines, asio::thread_pool* pool) {
  for (;;) {
    tcp::socket socket = co_await acceptor.async_accept(use_awaitable);
    socket.set_option(tcp::no_delay(true));
    const auto executor = socket.get_executor();
    asio::co_spawn(executor, lines ? delay(std::move(socket), pool) : echo(std::move(socket)),
                   asio::detached);
  }
}

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
      asio::co_spawn(
          context,
          listen(tcp::acceptor(context, tcp::v4(), fd), arguments.delay, pool ? &*pool : nullptr),
          asio::detached);
      context.run();
    });
  }
  say_listening(port);
  for (std::thread& thread : threads) thread.join();
}
