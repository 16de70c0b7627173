// Goal: of any bytes a file of ticket keys is keys, or refused with a sentence. Method: libFuzzer.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "tls/ticket_keys.h"

namespace {

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "fuzz: %s\n", what);
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto keys = trireme::tls::parse_ticket_keys("keys", bytes);
  if (!keys) {
    require(!keys.error().message.empty(), "it says nothing");
    return 0;
  }
  require(!keys.value().empty(), "there is no key");
  for (const trireme::tls::TicketKey& key : keys.value()) {
    require(key.bytes == 16 || key.bytes == 32, "a key of another size");
  }
  return 0;
}
