// Handshakes that stall half-way: their number, their memory, their end, and whether others are
// served meanwhile.
#pragma once

#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "load/endpoint.h"
#include "load/process.h"
#include "support/client.h"
#include "support/test_server.h"
#include "support/tls.h"
#include "support/wait.h"
#include "trireme/trireme.h"

namespace support {

// The first flight of a client, which everybody may send again: the server has never seen it.
inline std::string client_hello() {
  const std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context(SSL_CTX_new(TLS_client_method()),
                                                             SSL_CTX_free);
  const std::unique_ptr<SSL, void (*)(SSL*)> ssl(SSL_new(context.get()), SSL_free);
  BIO* const out = BIO_new(BIO_s_mem());
  SSL_set_bio(ssl.get(), BIO_new(BIO_s_mem()), out);
  SSL_set_connect_state(ssl.get());
  SSL_do_handshake(ssl.get());
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(out, &bytes);  // NOLINT: OpenSSL's own type
  return {bytes, static_cast<size_t>(size)};
}

struct Stalled {
  size_t count = 0;
  std::chrono::milliseconds handshake_time_max{0};
  size_t bytes_max = 0;  // of memory, of each
};

inline void stall(const Stalled& stalled, tr::Dispatch dispatch) {
  // With three quarters of the budget in use nobody more is accepted, and it is charged 44 KiB for
  // each: of the standard 256 MiB that is 4,468 handshakes.
  tr::Server server(
      {.io_workers = 2, .dispatch = dispatch, .buffer_bytes_max = 512 << 20, .log = [](auto, auto) {
       }});
  tr::ListenOptions listen;
  listen.tls = tls_of_tests();
  listen.limits.handshake_time_max = stalled.handshake_time_max;
  server.listen("tls://127.0.0.1:0", tr::lines(), mark, listen);
  ASSERT_TRUE(server.start());
  const std::string url = server.urls()[0];
  const std::string plain = "tcp" + url.substr(url.find(':'));
  const auto closed = [&](tr::CloseReason reason) {
    return server.stats().closed_by_reason[static_cast<size_t>(reason)];
  };
  EXPECT_EQ(Client(url).ask("first"), "<first>");  // what is made once is made

  const std::string hello = client_hello();
  const uint64_t before = load::read_resident_bytes(::getpid());
  const auto begin = Clock::now();
  std::vector<Client> held;
  held.reserve(stalled.count);
  constexpr size_t kBatch = 50;  // fewer than may wait for a thread
  for (size_t i = 0; i < stalled.count; i += kBatch) {
    const size_t from = held.size();
    for (size_t k = 0; k < kBatch && held.size() < stalled.count; ++k) {
      held.emplace_back(plain);
      ASSERT_TRUE(held.back().send(hello));
    }
    for (size_t k = from; k < held.size(); ++k) {
      ASSERT_TRUE(held[k].readable_within(kDeadline)) << k;  // the server's flight has come
    }
  }
  const auto grown =
      static_cast<int64_t>(load::read_resident_bytes(::getpid())) - static_cast<int64_t>(before);
  const bool all_held = closed(tr::CloseReason::kHandshakeTimeout) == 0;
  EXPECT_EQ(Client(url).ask("others"), "<others>");
  ::testing::Test::RecordProperty("bytes_each",
                                  std::to_string(grown / static_cast<int64_t>(stalled.count)));
  if (!kSanitized && all_held) {
    EXPECT_LE(grown / static_cast<int64_t>(stalled.count), static_cast<int64_t>(stalled.bytes_max));
    // What is charged is what it is.
    EXPECT_GE(server.stats().buffer_bytes_now * 12 / 10, static_cast<uint64_t>(grown));
  }
  EXPECT_TRUE(
      wait_until([&] { return closed(tr::CloseReason::kHandshakeTimeout) == stalled.count; },
                 stalled.handshake_time_max + kDeadline));
  EXPECT_GE(Clock::now() - begin, stalled.handshake_time_max);
  EXPECT_EQ(closed(tr::CloseReason::kRefused), 0u);
  EXPECT_EQ(Client(url).ask("last"), "<last>");
  EXPECT_TRUE(server.drain().empty());
}

}  // namespace support
