#include "tool/log.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <memory>

namespace tool {
namespace {

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
  // Not asynchronous: the last lines before a forced end are the ones that matter.
  const auto logger = std::make_shared<spdlog::logger>(
      "trireme", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_level(level_of(level));
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l: %v");
  return [logger](tr::LogLevel line_level, std::string_view line) {
    logger->log(level_of(line_level), spdlog::string_view_t(line.data(), line.size()));
  };
}

}  // namespace tool
