#include "services/lines.h"

#include <algorithm>
#include <optional>

#include "trireme/codec.h"

namespace services {

std::string describe_peer(const tr::Peer& peer) {
  if (const std::optional<tr::PeerCredentials> known = peer.credentials()) {
    return "unix " + std::to_string(known->pid) + " " + std::to_string(known->uid) + " " +
           std::to_string(known->gid);
  }
  std::string address = peer.address();  // "127.0.0.1:4711", "[::1]:4711"
  const size_t colon = address.rfind(':');
  if (colon == address.npos) return "unknown";
  address[colon] = ' ';
  std::erase_if(address, [](char byte) { return byte == '[' || byte == ']'; });
  return address;
}

void add_lines(tr::Server& server, const std::string& url, const tr::ListenOptions& options) {
  const auto answer = [](const tr::Request& request) -> tr::Answer {
    if (request.text() == "PEER") return describe_peer(request.peer());
    if (request.text() == "LAYERS") return request.peer().layers().text();
    return request.text();
  };
  server.listen(url, tr::lines(), answer, options);
}

}  // namespace services
