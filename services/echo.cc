#include "services/echo.h"

#include "trireme/codec.h"

namespace services {

void add_echo(tr::Server& server, const std::string& url, const tr::ListenOptions& options) {
  // The answer is a view of the request: it is taken before the request's bytes go.
  const auto echo = [](const tr::Request& request) -> tr::Answer { return request.text(); };
  server.listen(url, tr::bytes(), echo, options);
}

}  // namespace services
