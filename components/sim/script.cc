#include <utility>

#include "trireme/sim/client.h"

namespace trireme { inline namespace v0 { namespace sim {

Script& Script::connect(std::string url, Where where) {
  steps_.emplace_back(
      [url = std::move(url), where](Client& client) { client.connect(url, where); });
  return *this;
}

Script& Script::send(std::string bytes, Where where) {
  steps_.emplace_back(
      [bytes = std::move(bytes), where](Client& client) { client.send(bytes, where); });
  return *this;
}

Script& Script::expect(std::string bytes, Where where) {
  steps_.emplace_back(
      [bytes = std::move(bytes), where](Client& client) { client.expect(bytes, where); });
  return *this;
}

Script& Script::expect_end(Where where) {
  steps_.emplace_back([where](Client& client) { client.expect_end(where); });
  return *this;
}

Script& Script::end(Where where) {
  steps_.emplace_back([where](Client& client) { client.end(where); });
  return *this;
}

Script& Script::reset() {
  steps_.emplace_back([](Client& client) { client.reset(); });
  return *this;
}

Script& Script::close() {
  steps_.emplace_back([](Client& client) { client.close(); });
  return *this;
}

Script& Script::pause(std::chrono::nanoseconds time) {
  steps_.emplace_back([time](Client& client) { client.pause(time); });
  return *this;
}

Script& Script::read_slowly(const Client::Reading& reading) {
  steps_.emplace_back([reading](Client& client) { client.read_slowly(reading); });
  return *this;
}

Script& Script::set_patience(std::chrono::nanoseconds time) {
  steps_.emplace_back([time](Client& client) { client.set_patience(time); });
  return *this;
}

void Script::operator()(Client& client) const {
  for (const auto& step : steps_) step(client);
}

}}}  // namespace trireme::sim
