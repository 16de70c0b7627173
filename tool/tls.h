// What `trireme serve` does for "tls://": makes the layer of its options, and loads certificates
// anew at SIGHUP.
//
// Part of the tool; main thread.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "trireme/options.h"
#include "trireme/result.h"

namespace tool {

namespace tr = trireme;

// The options that begin with --tls-.
struct TlsChoice {
  std::vector<std::string> certificates{};  // files
  std::vector<std::string> keys{};          // of the certificates, in the same order; or none
  std::string client_authorities{};
  std::string clients = "off";
  std::string ticket_keys{};
  std::string protocols{};  // joined by ','
  std::optional<std::chrono::nanoseconds> handshake_time_max{};

  bool is_empty() const {
    return certificates.empty() && keys.empty() && client_authorities.empty() && clients == "off" &&
           ticket_keys.empty() && protocols.empty() && !handshake_time_max;
  }
};

// "tls://", or "+tls" behind another scheme.
bool wants_tls(const std::string& url);

// The layer for listeners whose URL wants it; null where none of `urls` does. `server.on_hang_up`
// reloads it. The sentence says what is missing, or wrong with which file.
tr::Result<std::shared_ptr<const tr::LayerFactory>> choose_tls(const TlsChoice& choice,
                                                               const std::vector<std::string>& urls,
                                                               tr::ServerOptions& server);

}  // namespace tool
