// Goal: an amount that the server cannot keep is refused before the first client, with a sentence
// that names it. Method: each amount at its bound, and one beyond it.
#include "server_validate.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace trireme { inline namespace v0 { namespace {

constexpr size_t kGiB = size_t{1} << 30;

// What is said of a server with these options; empty: nothing.
std::string refusal(const std::function<void(ServerOptions&, Limits&)>& change) {
  ServerOptions options;
  std::vector<std::unique_ptr<Listening>> listenings;
  listenings.push_back(std::make_unique<Listening>());
  Listening& listening = *listenings.back();
  listening.url = "tcp://127.0.0.1:0";
  listening.codec = lines();
  listening.service = std::make_shared<detail::HandlerService<Answer (*)(const Request&)>>(
      [](const Request&) -> Answer { return "x"; });
  change(options, listening.options.limits);
  const Result<Done> result = validate_options(options, listenings);
  return result ? "" : result.error().message;
}

template <class T>
void expect_bound(T Limits::*amount, size_t most, const std::string& name) {
  EXPECT_EQ(refusal([&](ServerOptions&, Limits& of) { of.*amount = static_cast<T>(most); }), "");
  for (const size_t more : {most + 1, 4 * kGiB - 1, 4 * kGiB, SIZE_MAX}) {
    if (static_cast<T>(more) != more) continue;
    const std::string said =
        refusal([&](ServerOptions&, Limits& of) { of.*amount = static_cast<T>(more); });
    EXPECT_EQ(said.find(name + " must"), 0u) << more << ": " << said;
  }
}

TEST(Validate, AmountsOfAConnectionHaveUpperBounds) {
  expect_bound(&Limits::frame_bytes_max, kGiB, "frame_bytes_max");
  expect_bound(&Limits::write_bytes_high, kGiB, "write_bytes_high");
  expect_bound(&Limits::read_ahead_bytes_max, kGiB, "read_ahead_bytes_max");
  expect_bound(&Limits::in_flight_max, 65'536, "in_flight_max");
  expect_bound(&Limits::timers_max, 250, "timers_max");
  expect_bound(&Limits::calls_max, 65'535, "calls_max");
  EXPECT_EQ(refusal([](ServerOptions& options, Limits&) { options.linger_bytes_max = kGiB; }), "");
  const std::string said =
      refusal([](ServerOptions& options, Limits&) { options.linger_bytes_max = kGiB + 1; });
  EXPECT_EQ(said, "linger_bytes_max must not be over 1 GiB");
}

TEST(Validate, AmountsOfAConnectionHaveLowerBounds) {
  EXPECT_NE(refusal([](ServerOptions&, Limits& limits) { limits.in_flight_max = 0; }), "");
  EXPECT_NE(refusal([](ServerOptions&, Limits& limits) { limits.frame_bytes_max = 0; }), "");
  const std::string said = refusal([](ServerOptions&, Limits& limits) {
    limits.write_bytes_high = 10;
    limits.write_bytes_low = 11;
  });
  EXPECT_EQ(said, "write_bytes_low must not be over write_bytes_high");
}

TEST(Validate, APrefixIsAPartOfAnAddress) {
  for (const uint32_t bits : {1, 64, 128}) {
    const auto change = [&](ServerOptions& options, Limits&) {
      options.address_prefix_bits = bits;
    };
    EXPECT_EQ(refusal(change), "") << bits;
  }
  for (const uint32_t bits : {0, 129}) {
    const auto change = [&](ServerOptions& options, Limits&) {
      options.address_prefix_bits = bits;
    };
    EXPECT_EQ(refusal(change), "address_prefix_bits must be 1 to 128") << bits;
  }
}

}  // namespace
}}  // namespace trireme
