#include "sim/trace.h"

#include <cinttypes>
#include <cstring>

namespace trireme { inline namespace v0 { namespace sim {
namespace {

const char* name_of(Call call) {
  static constexpr const char* kNames[] = {
      "socket",         "bind",           "listen",        "connect",        "accept",
      "set_option",     "socket_error",   "local_address", "receive",        "send",
      "bytes_readable", "shutdown",       "close",         "reset",          "epoll_create",
      "epoll_control",  "epoll_wait",     "epoll event",   "event_create",   "event_signal",
      "event_clear",    "raise_limit",    "clock.now",     "thread start",   "thread join",
      "thread detach",  "park",           "unpark",        "sleep",          "relax",
      "set_name",       "client connect", "client send",   "client receive", "client shutdown",
      "client reset",   "client close",   "bytes_unsent",  "poll",           "select",
      "set event",      "cpu_time",       "quiet_time",    "get_option",     "credentials",
      "inherit",        "set_mode",       "file_status",   "remove_file",    "set_file_mode",
      "set_file_owner", "open_file",      "file_facts",    "read_file",      "send_file",
      "break_off"};
  static_assert(std::size(kNames) == static_cast<size_t>(Call::kBreakOff) + 1);
  return kNames[static_cast<size_t>(call)];
}

}  // namespace

void Trace::mix(uint64_t value) {
  hash_ = (hash_ ^ value) * 0x9e3779b97f4a7c15ULL;
  hash_ ^= hash_ >> 32;
}

void Trace::add(const Entry& entry) {
  ++calls_;
  mix(static_cast<uint64_t>(entry.time.time_since_epoch().count()));
  mix(uint64_t{entry.fiber} << 8 | static_cast<uint64_t>(entry.call));
  mix(static_cast<uint64_t>(entry.first));
  mix(static_cast<uint64_t>(entry.second));
  mix(static_cast<uint64_t>(entry.result));
  if (log_ == nullptr) return;
  std::fprintf(log_, "%14" PRId64 " ns  fiber %-3u %s(%" PRId64 ", %" PRId64 ") = %" PRId64 "\n",
               static_cast<int64_t>(entry.time.time_since_epoch().count()), entry.fiber,
               name_of(entry.call), entry.first, entry.second, entry.result);
}

void Trace::add_bytes(std::string_view bytes) {
  mix(bytes.size());
  while (!bytes.empty()) {
    uint64_t word = 0;
    const size_t size = bytes.size() < sizeof(word) ? bytes.size() : sizeof(word);
    std::memcpy(&word, bytes.data(), size);
    mix(word);
    bytes.remove_prefix(size);
  }
}

}}}  // namespace trireme::sim
