// Goal: what the budget is charged for the OpenSSL state of a connection is what OpenSSL takes.
// Method: OpenSSL allocates by functions of this test, which count what is taken while the layer is
// called: in the midst of a handshake, and in an open connection that is idle.
#include <gtest/gtest.h>
#include <openssl/crypto.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "support/temporary_folder.h"
#include "tls/identity.h"
#include "trireme/tls.h"

namespace {

namespace tr = trireme;
using support::Identity;

// In front of each allocation. What malloc adds is about as much.
struct alignas(std::max_align_t) Head {
  size_t bytes;
  bool is_counted;
};

std::atomic<int64_t> counted_bytes{0};
thread_local bool counts_now = false;

void* take(size_t bytes, const char*, int) {
  auto* const head = static_cast<Head*>(std::malloc(sizeof(Head) + bytes));
  if (head == nullptr) return nullptr;
  *head = {bytes + sizeof(Head), counts_now};
  if (head->is_counted) counted_bytes += static_cast<int64_t>(head->bytes);
  return head + 1;
}

void give(void* memory, const char*, int) {
  if (memory == nullptr) return;
  Head* const head = static_cast<Head*>(memory) - 1;
  if (head->is_counted) counted_bytes -= static_cast<int64_t>(head->bytes);
  std::free(head);
}

void* retake(void* memory, size_t bytes, const char* file, int line) {
  void* const fresh = take(bytes, file, line);
  if (memory == nullptr || fresh == nullptr) return fresh;
  const Head* const old = static_cast<Head*>(memory) - 1;
  std::memcpy(fresh, memory, std::min(bytes, old->bytes - sizeof(Head)));
  give(memory, file, line);
  return fresh;
}

// Before OpenSSL has taken anything.
const int is_set = CRYPTO_set_mem_functions(take, retake, give);

class Counting {
 public:
  Counting() { counts_now = true; }
  ~Counting() { counts_now = false; }
  Counting(const Counting&) = delete;
  Counting& operator=(const Counting&) = delete;
};

struct Case {
  const char* name;
  int version;
  const char* key;  // of both sides
  bool knows_clients;
};

// One connection: a layer, and OpenSSL as its client.
class Pair {
 public:
  Pair(const tr::Tls& tls, SSL_CTX* context) : layer_(tls.make("client")) {
    ssl_.reset(SSL_new(context));
    in_ = BIO_new(BIO_s_mem());
    out_ = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl_.get(), in_, out_);
    SSL_set_connect_state(ssl_.get());
  }
  // The client's next flight, and the server's answer.
  void turn() {
    SSL_do_handshake(ssl_.get());
    char byte = 0;
    size_t read = 0;
    SSL_read_ex(ssl_.get(), &byte, 1, &read);
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(out_, &bytes);  // NOLINT: OpenSSL's own type
    std::string_view flight(bytes, static_cast<size_t>(size));
    tr::LayerOutput out;
    {
      const Counting counting;
      state_ = layer_->receive(flight, false, out);
      if (state_ == tr::LayerState::kWantsJob) state_ = layer_->compute(out);
    }
    BIO_reset(out_);
    BIO_write(in_, out.to_peer.data(), static_cast<int>(out.to_peer.size()));
  }
  void say() {
    size_t written = 0;
    SSL_write_ex(ssl_.get(), "hello", 5, &written);
    turn();
    std::string reply;
    const Counting counting;
    EXPECT_TRUE(layer_->send("hello", reply));
  }
  tr::LayerState state() const { return state_; }
  size_t charged() const { return layer_->bytes_held(); }
  ~Pair() {
    const Counting counting;
    layer_.reset();
  }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;

 private:
  std::unique_ptr<tr::TransportLayer> layer_;
  std::unique_ptr<SSL, void (*)(SSL*)> ssl_{nullptr, SSL_free};
  BIO* in_ = nullptr;   // the connection's
  BIO* out_ = nullptr;  // likewise
  tr::LayerState state_ = tr::LayerState::kShaking;
};

class TlsMemoryTest : public ::testing::TestWithParam<Case> {
 protected:
  TlsMemoryTest()
      : authority_("authority", "", nullptr),
        server_("server.test", "DNS:server.test", &authority_, GetParam().key),
        client_("client.test", "DNS:client.test", &authority_, GetParam().key) {
    tr::TlsOptions options{
        .certificates = {{.file = server_.write_certificate(folder_.file(""), "server.pem"),
                          .key_file = server_.write_key(folder_.file(""), "server.key")}}};
    if (GetParam().knows_clients) {
      options.clients = tr::TlsClients::kRequired;
      options.client_ca_file = authority_.write_certificate(folder_.file(""), "ca.pem");
    }
    auto made = tr::make_tls(options);
    EXPECT_TRUE(made) << made.error().message;
    tls_ = made.value();
    context_.reset(SSL_CTX_new(TLS_client_method()));
    SSL_CTX_set_max_proto_version(context_.get(), GetParam().version);
    SSL_CTX_use_certificate(context_.get(), client_.certificate());
    SSL_CTX_use_PrivateKey(context_.get(), client_.key());
  }

  const support::TemporaryFolder folder_;
  const Identity authority_, server_, client_;
  std::shared_ptr<tr::Tls> tls_;
  std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context_{nullptr, SSL_CTX_free};
};

TEST_P(TlsMemoryTest, IsWhatTheBudgetIsCharged) {
  ASSERT_EQ(is_set, 1);
  {  // What OpenSSL makes once for all.
    Pair first(*tls_, context_.get());
    for (int i = 0; i < 3; ++i) first.turn();
    first.say();
  }
  constexpr int64_t kPairs = 50;
  const int64_t before = counted_bytes;
  std::vector<std::unique_ptr<Pair>> pairs;
  for (int64_t i = 0; i < kPairs; ++i) {
    pairs.push_back(std::make_unique<Pair>(*tls_, context_.get()));
    pairs.back()->turn();
    EXPECT_EQ(pairs.back()->state(), tr::LayerState::kShaking);
  }
  const int64_t shaking = (counted_bytes - before) / kPairs;
  const auto shaking_charge = static_cast<int64_t>(pairs.back()->charged());
  for (const auto& pair : pairs) {
    pair->turn();
    pair->say();
    EXPECT_EQ(pair->state(), tr::LayerState::kOpen);
  }
  const int64_t open = (counted_bytes - before) / kPairs;
  const auto open_charge = static_cast<int64_t>(pairs.back()->charged());
  pairs.clear();
  EXPECT_LE(std::abs(counted_bytes - before), 1024);  // all of it is given back
  std::printf("%s: shaking %lld of %lld, open %lld of %lld\n", GetParam().name,
              static_cast<long long>(shaking), static_cast<long long>(shaking_charge),
              static_cast<long long>(open), static_cast<long long>(open_charge));
  EXPECT_LE(shaking, shaking_charge);
  EXPECT_LE(open, open_charge);
  // The dearest are charged as they are, and nobody far more than the dearest.
  EXPECT_GE(shaking, shaking_charge / 2);
  EXPECT_GE(open, open_charge / 2);
}

INSTANTIATE_TEST_SUITE_P(Kinds, TlsMemoryTest,
                         ::testing::Values(Case{"Tls13", TLS1_3_VERSION, "P-256", false},
                                           Case{"Tls13Rsa", TLS1_3_VERSION, "RSA", false},
                                           Case{"Tls13Clients", TLS1_3_VERSION, "P-256", true},
                                           Case{"Tls12", TLS1_2_VERSION, "P-256", false},
                                           Case{"Tls12RsaClients", TLS1_2_VERSION, "RSA", true}),
                         [](const auto& which) { return std::string(which.param.name); });

}  // namespace
