#include "trireme/tls.h"

#include <openssl/ssl.h>

#include <new>
#include <string>

#include "tls/errors.h"
#include "tls/shared.h"
#include "tls/tls_layer.h"

namespace trireme { inline namespace v0 {

Result<Done> Tls::Shared::load() {
  const uint64_t number = ++loads_;
  std::vector<tls::TicketKey> keys;
  if (!options.ticket_keys_file.empty()) {
    if (!options.tickets) return tls::usage("ticket_keys_file is of no use without tickets");
    Result<std::string> bytes = tls::read_file(options.ticket_keys_file);
    if (!bytes) return bytes.error();
    auto parsed = tls::parse_ticket_keys(options.ticket_keys_file, bytes.value());
    tls::forget(bytes.value());
    if (!parsed) return parsed.error();
    keys = std::move(parsed.value());
  }
  auto made = tls::Contexts::make(options);
  if (!made) return made.error();
  if (!keys.empty()) tickets.use(std::move(keys), number);
  MutexLock lock(mutex_);
  if (number < load_) return Done{};  // one that began later was faster: its files are newer
  load_ = number;
  contexts_.swap(made.value());
  return Done{};
}

Tls::Tls(std::unique_ptr<Shared> shared) : shared_(std::move(shared)) {}
Tls::~Tls() = default;

Result<Done> Tls::reload() {
  Result<Done> loaded = shared_->load();
  (loaded ? shared_->reloads : shared_->reloads_failed).add();
  return loaded;
}

TlsStats Tls::stats() const {
  TlsStats stats{.handshakes = shared_->handshakes.get(),
                 .resumed = shared_->resumed.get(),
                 .failed = shared_->failed.get(),
                 .not_tls = shared_->not_tls.get(),
                 .cut = shared_->cut.get(),
                 .reloads = shared_->reloads.get(),
                 .reloads_failed = shared_->reloads_failed.get()};
  for (size_t code = 0; code < shared_->alerts.size(); ++code) {
    const Shared::AlertCounts& counts = shared_->alerts[code];
    if (counts.sent.get() + counts.received.get() == 0) continue;
    stats.alerts.push_back({.name = tls::alert_name(static_cast<int>(code)),
                            .sent = counts.sent.get(),
                            .received = counts.received.get()});
  }
  return stats;
}

std::unique_ptr<TransportLayer> Tls::make(std::string_view) const {
  return std::make_unique<tls::TlsLayer>(*shared_);
}

Result<std::shared_ptr<Tls>> make_tls(TlsOptions options) {
  auto shared = std::make_unique<Tls::Shared>(std::move(options));
  const Result<Done> loaded = shared->load();
  if (!loaded) return loaded.error();
  return std::make_shared<Tls>(std::move(shared));
}

}}  // namespace trireme
