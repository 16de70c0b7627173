// The inside of the public Client.
//
// Step: none, test support. Thread: the client's fiber.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "runtime/system/clock.h"
#include "runtime/system/random.h"
#include "sim/sim_client.h"
#include "sim/world_impl.h"
#include "trireme/sim/client.h"

namespace trireme { inline namespace v0 { namespace sim {

struct Client::Impl {
  enum class Got { kBytes, kEnd, kReset, kLate };
  // Leaves the client's function after a fault has reset its connection.
  struct Lost {};

  Impl(World& in, World::Impl& inside, uint32_t client_number, std::string client_name);

  void run(Client& client, const std::function<void(Client&)>& function);
  // What the world does to a client before it does something by itself.
  void disturb();
  // Receives at least a byte, unless the stream ends before.
  Got more(TimePoint until);
  // The same for one who expects `what`: whatever else comes ends the run.
  void need_more(TimePoint until, const std::string& what, Where where);
  int open(std::string_view url);
  void need_connection(const char* call, Where where);
  std::string take(size_t bytes);
  void tell(const std::string& what);
  [[noreturn]] void fail(const std::string& what, Where where);
  TimePoint patience_end() const;
  std::string title() const { return "client " + std::to_string(number) + " '" + name + "'"; }

  World& world;
  World::Impl& at;
  const uint32_t number;
  const std::string name;
  Random faults;  // draws of the world
  Random draws;   // draws of the client's function
  SimClient talk;
  std::string heard;  // and not taken yet
  Reading reading{};
  bool has_read = false;
  Duration patience = std::chrono::seconds(60);
};

// Bytes in quotes, as C writes them, cut when they are many.
std::string quoted(std::string_view bytes);

}}}  // namespace trireme::sim
