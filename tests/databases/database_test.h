// What tests on a private database have in common.
#pragma once

#include <gtest/gtest.h>

#include <utility>

#include "databases/private_server.h"

namespace databases {

// Skipped with a sentence where the database is missing.
template <class Server>
class DatabaseTest : public ::testing::Test {
 protected:
  void SetUp() override {
    server_ = shared_server<Server>();
    if (server_ == nullptr) {
      GTEST_SKIP() << Server::kName << " is missing: `./dev test --databases` installs it";
    }
  }

  Server* server_ = nullptr;
};

template <class Connection, class Options>
Connection connect(const Options& options) {
  auto made = Connection::connect(options);
  EXPECT_TRUE(made.ok()) << made.error().message;
  return std::move(made.value());
}

}  // namespace databases
