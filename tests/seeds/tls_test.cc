// Goal: TLS keeps every promise of a connection in every order of events that a seed can draw,
// under a hostile network and a failing kernel: what comes back is right as far as it comes, the
// books balance, the drain ends.
// Method: the real layer in the simulated world, its handshakes as jobs; OpenSSL as the client of
// every manner; a drain at any moment. The random numbers of OpenSSL are its own, so two runs of a
// seed take the same turns but do not send the same bytes.
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runtime/system/random.h"
#include "sim/machine.h"
#include "sim/sim_client.h"
#include "support/tls.h"
#include "trireme/trireme.h"

namespace {

namespace tr = trireme;
namespace sim = trireme::sim;
using namespace std::chrono_literals;

#if defined(TRIREME_TESTS_ARE_SLOW)
constexpr uint64_t kTlsSeeds = 8;
#else
constexpr uint64_t kTlsSeeds = 60;
#endif
constexpr size_t kTlsClients = 5;

tr::Answer answer_secretly(const tr::Request& request) {
  if (request.text() == "large") return std::string(50'000, 'x');
  return "<" + request.own() + ">";
}

// What a client does, and what it must hear, as far as it hears anything.
struct SecretPart {
  explicit SecretPart(tr::Random& random) {
    manner = random.below(6);
    version = random.chance(1, 2) ? TLS1_3_VERSION : TLS1_2_VERSION;
    for (uint64_t line = random.below(6); line > 0; --line) {
      const bool large = random.chance(1, 4);
      said += large ? "large\n" : "one\n";
      wanted += (large ? std::string(50'000, 'x') : "<one>") + "\n";
    }
    piece_bytes = 1 + random.below(random.chance(1, 3) ? 40 : 8'192);
  }
  uint64_t manner = 0;  // 0: no TLS; 1: a part of a hello; 2: a reset; 3: no close_notify
  int version = 0;
  std::string said, wanted, heard;
  size_t piece_bytes = 1;
};

class SecretClient {
 public:
  SecretClient(sim::Machine& world, SecretPart& part)
      : world_(world),
        part_(part),
        client_(world),
        context_(SSL_CTX_new(TLS_client_method()), SSL_CTX_free) {
    SSL_CTX_set_min_proto_version(context_.get(), part.version);
    SSL_CTX_set_max_proto_version(context_.get(), part.version);
    ssl_.reset(SSL_new(context_.get()));
    in_ = BIO_new(BIO_s_mem());
    out_ = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl_.get(), in_, out_);
    SSL_set_connect_state(ssl_.get());
  }

  void play(uint16_t port) {
    if (client_.connect(port, until()) != 0) return;
    if (part_.manner == 0) {
      send("GET / HTTP/1.1\r\n\r\n");
      client_.receive_until_end(until());
      return;
    }
    while (SSL_do_handshake(ssl_.get()) != 1) {
      if (part_.manner == 1) return send_half_a_hello();
      if (!flush() || !receive()) return;
    }
    if (!part_.said.empty()) SSL_write(ssl_.get(), part_.said.data(), size_of(part_.said));
    if (!flush()) return;
    if (part_.manner == 2) return client_.reset();
    do {
      read();
    } while (part_.heard.size() < part_.wanted.size() && receive());
    if (part_.manner > 3) SSL_shutdown(ssl_.get());
    if (flush()) client_.receive_until_end(until());
  }

 private:
  static int size_of(const std::string& text) { return static_cast<int>(text.size()); }
  tr::TimePoint until() const { return world_.now() + 60s; }

  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const std::string_view piece = bytes.substr(0, part_.piece_bytes);
      if (client_.send_all(piece, until()) != 0) return false;
      bytes.remove_prefix(piece.size());
    }
    return true;
  }
  bool flush() {
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(out_, &bytes);  // NOLINT: OpenSSL's own type
    const std::string all(bytes, static_cast<size_t>(size));
    BIO_reset(out_);
    return send(all);
  }
  bool receive() {
    const sim::SimClient::Received more = client_.receive_some(65'536, until());
    BIO_write(in_, more.bytes.data(), size_of(more.bytes));
    if (!more.bytes.empty()) return true;
    read();
    return false;
  }
  void read() {
    char piece[4'096];
    int size = 0;
    while ((size = SSL_read(ssl_.get(), piece, sizeof(piece))) > 0)
      part_.heard.append(piece, static_cast<size_t>(size));
  }
  void send_half_a_hello() {
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(out_, &bytes);  // NOLINT: OpenSSL's own type
    send(std::string(bytes, static_cast<size_t>(size) / 2));
    client_.receive_until_end(until());
  }

  sim::Machine& world_;
  SecretPart& part_;
  sim::SimClient client_;
  std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context_;
  std::unique_ptr<SSL, void (*)(SSL*)> ssl_{nullptr, SSL_free};
  BIO* in_ = nullptr;   // the connection's
  BIO* out_ = nullptr;  // likewise
};

// How many clients have heard all that they had asked for.
uint64_t run_secretly(uint64_t seed) {
  sim::Machine world(seed);
  tr::Random random(seed);
  std::vector<SecretPart> parts;
  for (size_t i = 0; i < kTlsClients; ++i) parts.emplace_back(random);
  world.run([&] {
    tr::Server server({.io_workers = static_cast<int>(1 + random.below(2)),
                       .dispatch = static_cast<tr::Dispatch>(random.below(3)),
                       .driver = static_cast<tr::DriverKind>(random.below(4)),
                       .log = [](tr::LogLevel, std::string_view) {}},
                      world.platform());
    tr::ListenOptions listen;
    listen.tls = support::tls_of_tests();
    listen.limits.handshake_time_max = 1s;
    server.listen("tls://127.0.0.1:0", tr::lines(), answer_secretly, listen);
    if (!server.start()) return;  // an injected error: nothing to try
    const std::string url = server.urls()[0];
    const auto port = static_cast<uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)));
    std::vector<sim::Machine::Task> tasks;
    for (SecretPart& part : parts) {
      tasks.push_back(
          world.spawn("client", [&world, &part, port] { SecretClient(world, part).play(port); }));
    }
    if (random.chance(1, 2)) {
      for (auto& task : tasks) task.join();
    } else {
      world.sleep_for(std::chrono::microseconds(random.below(3'000)));  // why: virtual time
    }
    EXPECT_TRUE(server.drain().empty()) << "seed " << seed;
    const tr::Stats stats = server.stats();
    const char* why = nullptr;
    EXPECT_TRUE(tr::books_balance(stats, &why)) << "seed " << seed << ": " << why;
  });
  uint64_t served = 0;
  for (const SecretPart& part : parts) {
    EXPECT_TRUE(part.wanted.starts_with(part.heard))
        << "seed " << seed << ", manner " << part.manner;
    if (!part.wanted.empty() && part.heard == part.wanted) ++served;
  }
  return served;
}

// A seed that fails is run alone: TRIREME_SIM_SEED=N.
TEST(TlsSeeds, KeepEveryPromise) {
  const char* const one = std::getenv("TRIREME_SIM_SEED");
  const char* const many = std::getenv("TRIREME_SIM_SEEDS");
  if (one != nullptr) {
    run_secretly(std::strtoull(one, nullptr, 10));
    return;
  }
  const uint64_t seeds = many != nullptr ? std::strtoull(many, nullptr, 10) : kTlsSeeds;
  uint64_t served = 0;
  for (uint64_t seed = 1; seed <= seeds && !HasFailure(); ++seed) served += run_secretly(seed);
  EXPECT_GE(served, seeds / 2);  // else it has tried nothing
}

}  // namespace
