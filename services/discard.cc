#include "services/discard.h"

#include "trireme/codec.h"

namespace services {

void add_discard(tr::Server& server, const std::string& url, const tr::ListenOptions& options) {
  const auto discard = [](const tr::Request&) -> tr::Answer { return tr::no_answer(); };
  server.listen(url, tr::bytes(), discard, options);
}

}  // namespace services
