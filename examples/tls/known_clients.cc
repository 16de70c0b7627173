// Lines over TLS, for clients that show a certificate of our authority. Each is called by the name
// in it.
//
//   $ example_known_clients server.pem server.key clients-ca.pem [tls://0.0.0.0:7000]
//
// Certificates are changed without an end of the service: write new files, and send SIGHUP.
#include <iostream>
#include <string>

#include "trireme/tls.h"
#include "trireme/trireme.h"

namespace tr = trireme;

// Who is it? Without a verified certificate nobody comes so far.
std::string name_of(const tr::Peer& client) {
  const tr::LayerFacts facts = client.layers();
  return std::string(facts.value("tls.client.subject"));
}

tr::Answer answer(const tr::Request& request) {
  if (request.text() == "who am i") return tr::one_line(name_of(request.peer()));
  return request.own();
}

int main(int argc, char** argv) {
  if (argc < 4) {
    std::cerr << "usage: example_known_clients CERTIFICATE KEY AUTHORITY [URL]\n";
    return 2;
  }
  const auto tls = tr::make_tls({.certificates = {{.file = argv[1], .key_file = argv[2]}},
                                 .clients = tr::TlsClients::kRequired,
                                 .client_ca_file = argv[3]});
  if (!tls) {
    std::cerr << tls.error().message << "\n";
    return 2;
  }
  tr::Server server({.on_hang_up = [tls = tls.value()] {
    const auto loaded = tls->reload();
    if (!loaded) std::cerr << "the certificates stay: " << loaded.error().message << "\n";
  }});
  server.listen(argc > 4 ? argv[4] : "tls://0.0.0.0:7000", tr::lines(), answer,
                {.tls = tls.value()});
  return server.run([&] { std::cout << "listening on " << server.urls()[0] << std::endl; });
}
