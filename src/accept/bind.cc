#include "accept/bind.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <charconv>
#include <cstring>
#include <string>
#include <system_error>

#include "accept/endpoint.h"
#include "accept/url_layers.h"
#include "runtime/drivers/driver.h"

namespace trireme { inline namespace v0 {
namespace {

enum class Sharing {
  kAlone,
  kFirst,  // others will join it
  kNext,
};

std::string why(int error) {
  if (error == EADDRINUSE)
    return "the address is in use by another process; choose another port or stop that one";
  if (error == EACCES) return "permission denied; ports below 1024 need CAP_NET_BIND_SERVICE";
  if (error == EADDRNOTAVAIL) return "this machine has no such address";
  if (error == EINVAL) return "the system cannot bind this address (EINVAL)";
  return std::strerror(error);
}

Error cannot_listen(const Listening& listening, const std::string& reason) {
  return {Error::Code::kSystem, "cannot listen at '" + listening.url + "': " + reason};
}

Error cannot_share(const Listening& listening, int error) {
  return cannot_listen(listening, std::string("its port cannot be shared (SO_REUSEPORT: ") +
                                      std::strerror(error) + "); let the Listener accept");
}

// A socket with the options of a listening one, or -errno.
int make_socket(Kernel& kernel, int family, bool every_address) {
  const int fd = kernel.socket(family, SOCK_STREAM);
  if (fd < 0) return fd;
  // REUSEADDR: bind although connections of an earlier run are in TIME_WAIT. NODELAY is inherited
  // by accepted sockets.
  kernel.set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  kernel.set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  if (family == AF_INET6) {
    kernel.set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, every_address ? 0 : 1);
  }
  return fd;
}

int share_port(Kernel& kernel, int fd) {
  return kernel.set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
}

// The zone of a link-local address: the name or the number of an interface. More than 0, or not.
int scope_of(Kernel& kernel, const std::string& zone) {
  int scope = 0;
  const char* const end = zone.data() + zone.size();
  const auto [stop, failure] = std::from_chars(zone.data(), end, scope);
  if (stop == end) return failure == std::errc() ? scope : 0;
  return kernel.interface_index(zone.c_str());
}

// A bound descriptor or -errno. `endpoint` gets the address that was taken instead of "every one"
// where IPv6 is missing.
int bind_socket(Kernel& kernel, Endpoint& endpoint, bool joins) {
  const bool falls_back = endpoint.every_address && endpoint.address.storage.ss_family == AF_INET6;
  int fd = make_socket(kernel, endpoint.address.storage.ss_family, endpoint.every_address);
  int result = fd;
  if (fd >= 0) {
    if (joins) share_port(kernel, fd);  // if this is refused, so is bind
    result = kernel.bind(fd, endpoint.address);
    if (result < 0) kernel.close_socket(fd);
  }
  if (result >= 0) return fd;
  // Not compiled in, or switched off.
  const bool missing = result == -EAFNOSUPPORT || result == -EADDRNOTAVAIL;
  if (!falls_back || !missing) return result;
  endpoint.address = any_ipv4(port_of(endpoint.address));
  return bind_socket(kernel, endpoint, joins);
}

// The first one binds alone, and shares afterwards: so a port that anybody listens at is refused,
// even if that one would share it.
Result<int> open_socket(Kernel& kernel, const Listening& listening, Endpoint& endpoint,
                        Sharing sharing) {
  const int fd = bind_socket(kernel, endpoint, sharing == Sharing::kNext);
  if (fd < 0) return cannot_listen(listening, why(-fd));
  int result = sharing == Sharing::kFirst ? share_port(kernel, fd) : 0;
  if (result < 0) {
    kernel.close_socket(fd);
    return cannot_share(listening, -result);
  }
  result = kernel.listen(fd, listening.options.backlog);
  if (result == 0) result = kernel.local_address(fd, endpoint.address);
  if (result == 0) return fd;
  kernel.close_socket(fd);
  return cannot_listen(listening, why(-result));
}

}  // namespace

Result<Done> bind_listening(Kernel& kernel, Listening& listening,
                            std::span<LoopDoor* const> doors) {
  Result<Endpoint> parsed = parse_endpoint(listening.url);
  if (!parsed) return parsed.error();
  Endpoint endpoint = parsed.value();
  if (!endpoint.zone.empty()) {
    const int scope = scope_of(kernel, endpoint.zone);
    if (scope <= 0)
      return cannot_listen(listening, "this machine has no interface '" + endpoint.zone + "'");
    set_scope(endpoint.address, static_cast<uint32_t>(scope));
  }
  Sharing sharing = doors.size() > 1 ? Sharing::kFirst : Sharing::kAlone;
  for (LoopDoor* door : doors) {
    Result<int> fd = open_socket(kernel, listening, endpoint, sharing);
    if (!fd) return fd.error();
    const int failed = door->attach(listening.index, fd.value());
    if (failed != 0) return cannot_listen(listening, why_not_watched(-failed));
    sharing = Sharing::kNext;
  }
  listening.url = with_layers_of(listening.url, to_url(endpoint.address, endpoint.zone));
  return Done{};
}

}}  // namespace trireme
