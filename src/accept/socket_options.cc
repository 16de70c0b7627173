#include "accept/socket_options.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace trireme { inline namespace v0 {
namespace {

const char* first_of_file(const SocketOptions& options) {
  if (options.mode) return "mode";
  if (!options.user.empty()) return "user";
  return options.group.empty() ? nullptr : "group";
}

Error useless(const std::string& url, const char* option, const char* why) {
  return {Error::Code::kUsage,
          "'" + url + "' has no use for " + option + ", which is " + why + "; leave it out"};
}

std::string why_refused(int error) {
  if (error == ENODEV) return "this machine has no such interface";
  if (error == EPERM) return "permission denied; it needs CAP_NET_RAW";
  return std::strerror(error);
}

}  // namespace

ChosenOptions::ChosenOptions(const ListenOptions& given, const UrlOptions& of_url)
    : backlog(of_url.backlog.value_or(given.backlog)), socket(given.socket) {
  if (of_url.mode) socket.mode = of_url.mode;
  if (!of_url.user.empty()) socket.user = of_url.user;
  if (!of_url.group.empty()) socket.group = of_url.group;
}

const char* first_of_tcp(const SocketOptions& options) {
  const SocketOptions standard;
  if (options.no_delay != standard.no_delay) return "no_delay";
  if (options.keep_alive_time != standard.keep_alive_time) return "keep_alive_time";
  if (options.unconfirmed_time_max != standard.unconfirmed_time_max) return "unconfirmed_time_max";
  if (options.defer_accept_time != standard.defer_accept_time) return "defer_accept_time";
  return options.interface_name.empty() ? nullptr : "interface_name";
}

Result<Done> validate_kind(const std::string& url, const Endpoint& endpoint,
                           const ListenOptions& options) {
  constexpr const char* kOfInherited = "set where an inherited socket was bound";
  const char* const of_file = first_of_file(options.socket);
  if (endpoint.is_inherited()) {
    if (of_file != nullptr) return useless(url, of_file, kOfInherited);
    if (!options.socket.interface_name.empty()) return useless(url, "interface_name", kOfInherited);
    if (options.backlog != ListenOptions().backlog) return useless(url, "backlog", kOfInherited);
  } else if (of_file != nullptr && !endpoint.has_file()) {
    return useless(url, of_file, "of the file of a unix socket");
  }
  if (endpoint.kind == Endpoint::Kind::kUnix) {
    if (const char* of_tcp = first_of_tcp(options.socket))
      return useless(url, of_tcp, "an option of TCP");
  }
  if (endpoint.kind != Endpoint::Kind::kTcp && options.accepting == Accepting::kLoops) {
    return useless(url, "Accepting::kLoops",
                   "for tcp:// alone, whose ports can be shared (SO_REUSEPORT)");
  }
  return Done{};
}

Result<Done> set_tcp_options(Kernel& kernel, int fd, const SocketOptions& options,
                             bool is_inherited) {
  const char* name = nullptr;
  int result = 0;
  const auto set = [&](const char* option, int level, int number, int64_t value) {
    if (result < 0) return;
    name = option;
    result = kernel.set_option(fd, level, number, static_cast<int>(value));
  };
  // Without it a server is slower, and no less right. A new socket has it off.
  if (options.no_delay || is_inherited)
    kernel.set_option(fd, IPPROTO_TCP, TCP_NODELAY, options.no_delay ? 1 : 0);
  if (options.keep_alive_time.count() > 0) {
    set("keep_alive_time", SOL_SOCKET, SO_KEEPALIVE, 1);
    set("keep_alive_time", IPPROTO_TCP, TCP_KEEPIDLE, options.keep_alive_time.count());
  }
  if (options.keep_alive_interval.count() > 0)
    set("keep_alive_interval", IPPROTO_TCP, TCP_KEEPINTVL, options.keep_alive_interval.count());
  if (options.keep_alive_probes_max > 0)
    set("keep_alive_probes_max", IPPROTO_TCP, TCP_KEEPCNT, options.keep_alive_probes_max);
  if (options.unconfirmed_time_max.count() > 0) {
    set("unconfirmed_time_max", IPPROTO_TCP, TCP_USER_TIMEOUT,
        options.unconfirmed_time_max.count());
  }
  if (options.defer_accept_time.count() > 0)
    set("defer_accept_time", IPPROTO_TCP, TCP_DEFER_ACCEPT, options.defer_accept_time.count());
  if (result == 0 && !options.interface_name.empty()) {
    name = "interface_name";
    result = kernel.set_text_option(fd, SOL_SOCKET, SO_BINDTODEVICE, options.interface_name);
  }
  if (result == 0) return Done{};
  return Error{Error::Code::kSystem, std::string(name) + " cannot be set: " + why_refused(-result)};
}

}}  // namespace trireme
