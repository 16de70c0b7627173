#include "accept/bind.h"

#include <netinet/in.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "accept/endpoint.h"
#include "accept/inherited.h"
#include "accept/socket_options.h"
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

// Of an error that has a reason only.
Error cannot_listen(const Listening& listening, const Error& reason) {
  return {reason.code, "cannot listen at '" + listening.url + "': " + reason.message};
}

Error reason(int error) { return {Error::Code::kSystem, why(error)}; }

Error cannot_share(const Listening& listening, int error) {
  return cannot_listen(
      listening, {Error::Code::kSystem, std::string("its port cannot be shared (SO_REUSEPORT: ") +
                                            std::strerror(error) + "); let the Listener accept"});
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

// One listener on its way to its sockets.
class Binding {
 public:
  Binding(Kernel& kernel, const Listening& listening, const Endpoint& endpoint)
      : kernel_(kernel),
        listening_(listening),
        options_(listening.options, endpoint.options),
        endpoint_(endpoint) {}

  Result<Bound> bind_tcp(std::span<LoopDoor* const> doors);
  Result<Bound> bind_unix(LoopDoor& door);
  Result<Bound> take_inherited_ones(LoopDoor& door);

 private:
  Result<Done> set_up(int fd);
  Result<int> bind_socket(bool joins);
  Result<int> open_socket(Sharing sharing);
  Result<int> open_unix(Bound& bound);
  Result<Done> attach(LoopDoor& door, int fd, bool is_shared = false);

  Kernel& kernel_;
  const Listening& listening_;
  const ChosenOptions options_;
  Endpoint endpoint_;
};

// An error has a reason only.
Result<Done> Binding::set_up(int fd) {
  // REUSEADDR: bind although connections of an earlier run are in TIME_WAIT.
  kernel_.set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  Result<Done> set = set_tcp_options(kernel_, fd, options_.socket, false);
  if (endpoint_.address.storage.ss_family == AF_INET6)
    kernel_.set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, endpoint_.every_address ? 0 : 1);
  return set;
}

// A bound descriptor. `endpoint_` gets the address that was taken instead of "every one" where IPv6
// is missing.
Result<int> Binding::bind_socket(bool joins) {
  const int family = endpoint_.address.storage.ss_family;
  const int fd = kernel_.socket(family, SOCK_STREAM);
  int result = fd;
  if (fd >= 0) {
    const Result<Done> set = set_up(fd);
    if (!set) {
      kernel_.close_socket(fd);
      return cannot_listen(listening_, set.error());
    }
    if (joins) share_port(kernel_, fd);  // if this is refused, so is bind
    result = kernel_.bind(fd, endpoint_.address);
    if (result < 0) kernel_.close_socket(fd);
  }
  if (result >= 0) return fd;
  // Not compiled in, or switched off.
  const bool missing = result == -EAFNOSUPPORT || result == -EADDRNOTAVAIL;
  if (!endpoint_.every_address || family != AF_INET6 || !missing)
    return cannot_listen(listening_, reason(-result));
  endpoint_.address = any_ipv4(port_of(endpoint_.address));
  return bind_socket(joins);
}

// The first one binds alone, and shares afterwards: so a port that anybody listens at is refused,
// even if that one would share it.
Result<int> Binding::open_socket(Sharing sharing) {
  const Result<int> bound = bind_socket(sharing == Sharing::kNext);
  if (!bound) return bound.error();
  const int fd = bound.value();
  int result = sharing == Sharing::kFirst ? share_port(kernel_, fd) : 0;
  if (result < 0) {
    kernel_.close_socket(fd);
    return cannot_share(listening_, -result);
  }
  result = kernel_.listen(fd, options_.backlog);
  if (result == 0) result = kernel_.local_address(fd, endpoint_.address);
  if (result == 0) return fd;
  kernel_.close_socket(fd);
  return cannot_listen(listening_, reason(-result));
}

Result<Done> Binding::attach(LoopDoor& door, int fd, bool is_shared) {
  const int failed = door.attach(listening_.index, fd, is_shared);
  if (failed == 0) return Done{};
  return cannot_listen(listening_, {Error::Code::kSystem, why_not_watched(-failed)});
}

Result<Bound> Binding::bind_tcp(std::span<LoopDoor* const> doors) {
  if (!endpoint_.zone.empty()) {
    const int scope = scope_of(kernel_, endpoint_.zone);
    if (scope <= 0) {
      return cannot_listen(listening_, {Error::Code::kSystem,
                                        "this machine has no interface '" + endpoint_.zone + "'"});
    }
    set_scope(endpoint_.address, static_cast<uint32_t>(scope));
  }
  Sharing sharing = doors.size() > 1 ? Sharing::kFirst : Sharing::kAlone;
  for (LoopDoor* door : doors) {
    const Result<int> fd = open_socket(sharing);
    if (!fd) return fd.error();
    const Result<Done> attached = attach(*door, fd.value());
    if (!attached) return attached.error();
    sharing = Sharing::kNext;
  }
  return Bound{.urls = {to_url(endpoint_.address, endpoint_.zone)}};
}

// It listens only when its file has its owner and mode.
Result<int> Binding::open_unix(Bound& bound) {
  const int fd = kernel_.socket(AF_UNIX, SOCK_STREAM);
  if (fd < 0) return reason(-fd);
  Result<Done> is_bound = Done{};
  if (endpoint_.has_file()) {
    Result<SocketFile> file = bind_file(kernel_, fd, endpoint_, options_.socket);
    if (file) bound.file = file.value();
    if (!file) is_bound = file.error();
  } else if (const int result = kernel_.bind(fd, endpoint_.address); result < 0) {
    is_bound = result == -EADDRINUSE ? Error{Error::Code::kSystem,
                                             "a server has this name already; choose another one"}
                                     : reason(-result);
  }
  if (is_bound) {
    const int result = kernel_.listen(fd, options_.backlog);
    if (result == 0) return fd;
    is_bound = reason(-result);
    if (bound.file) remove_file(kernel_, *bound.file);
  }
  kernel_.close_socket(fd);
  return is_bound.error();
}

Result<Bound> Binding::bind_unix(LoopDoor& door) {
  Bound bound{.urls = {"unix:" + endpoint_.name}};
  const Result<int> fd = open_unix(bound);
  if (!fd) return cannot_listen(listening_, fd.error());
  const Result<Done> attached = attach(door, fd.value());
  if (attached) return bound;
  if (bound.file) remove_file(kernel_, *bound.file);
  return attached.error();
}

Result<Bound> Binding::take_inherited_ones(LoopDoor& door) {
  std::vector<int> fds = {endpoint_.fd};
  if (endpoint_.kind == Endpoint::Kind::kSystemd) {
    Result<std::vector<int>> passed = passed_sockets(kernel_, endpoint_.name);
    if (!passed) return cannot_listen(listening_, passed.error());
    fds = passed.value();
  }
  Bound bound;
  for (const int fd : fds) {
    const Result<SocketAddress> address = take_inherited(kernel_, fd);
    if (!address) return cannot_listen(listening_, address.error());
    if (address.value().storage.ss_family != AF_UNIX) {
      const Result<Done> set = set_tcp_options(kernel_, fd, options_.socket, true);
      if (!set) return cannot_listen(listening_, set.error());
    } else if (const char* of_tcp = first_of_tcp(options_.socket)) {
      return cannot_listen(
          listening_,
          {Error::Code::kUsage, "descriptor " + std::to_string(fd) + " is a unix socket, and " +
                                    of_tcp + " is an option of TCP; leave it out"});
    }
    const Result<Done> attached = attach(door, fd, true);
    if (!attached) return attached.error();
    bound.urls.push_back(to_url(address.value()));
  }
  return bound;
}

}  // namespace

Result<Bound> bind_listening(Kernel& kernel, Listening& listening,
                             std::span<LoopDoor* const> doors) {
  const Result<Endpoint> endpoint = parse_endpoint(listening.url);
  if (!endpoint) return endpoint.error();
  Binding binding(kernel, listening, endpoint.value());
  const bool is_tcp = endpoint.value().kind == Endpoint::Kind::kTcp;
  Result<Bound> bound = is_tcp                            ? binding.bind_tcp(doors)
                        : endpoint.value().is_inherited() ? binding.take_inherited_ones(*doors[0])
                                                          : binding.bind_unix(*doors[0]);
  if (!bound) return bound;
  for (std::string& url : bound.value().urls) url = with_layers_of(listening.url, url);
  listening.url = bound.value().urls.front();
  return bound;
}

}}  // namespace trireme
