#include "tool/log.h"

#include <poll.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <mutex>

namespace tool {
namespace {

// Straight to the descriptor: a thread that hangs there must hold no lock of a stream, for which
// the end of the process would wait.
class StandardErrorSink final : public spdlog::sinks::base_sink<std::mutex> {
 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    const char* next = line.data();
    for (size_t left = line.size(); left > 0;) {
      const ssize_t count = ::write(STDERR_FILENO, next, left);
      if (count > 0) {
        next += count;
        left -= static_cast<size_t>(count);
      } else if (errno == EAGAIN) {  // somebody has made it non-blocking
        pollfd writable{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
        if (::poll(&writable, 1, -1) < 0 && errno != EINTR) return;
      } else if (errno != EINTR) {
        return;
      }
    }
  }
  void flush_() override {}
};

spdlog::level::level_enum level_of(tr::LogLevel level) {
  switch (level) {
    case tr::LogLevel::kDebug:
      return spdlog::level::debug;
    case tr::LogLevel::kInfo:
      return spdlog::level::info;
    case tr::LogLevel::kWarning:
      return spdlog::level::warn;
    case tr::LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

}  // namespace

tr::LogSink make_log(tr::LogLevel level) {
  // Not asynchronous: the server calls it on a thread of its own.
  const auto logger =
      std::make_shared<spdlog::logger>("trireme", std::make_shared<StandardErrorSink>());
  logger->set_level(level_of(level));
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l: %v");
  return [logger](tr::LogLevel line_level, std::string_view line) {
    logger->log(level_of(line_level), spdlog::string_view_t(line.data(), line.size()));
  };
}

}  // namespace tool
