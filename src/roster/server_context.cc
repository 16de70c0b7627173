#include "roster/server_context.h"

#include <string>

namespace trireme { inline namespace v0 { namespace detail {
namespace {

std::vector<std::unique_ptr<EventLoop>> make_loops(const Platform& platform, uint32_t count) {
  std::vector<std::unique_ptr<EventLoop>> loops;
  for (uint32_t index = 0; index < count; ++index) {
    loops.push_back(std::make_unique<EventLoop>(platform, index));
  }
  return loops;
}

}  // namespace

ContextRef::ContextRef(ServerContext* context) : context_(context) {
  if (context_ != nullptr) context_->add_reference();
}

ContextRef::~ContextRef() {
  if (context_ != nullptr) context_->drop_reference();
}

ServerContext::ServerContext(const Platform& given_platform, const ServerOptions& given_options,
                             uint32_t io_workers, size_t connections_max)
    : platform(given_platform),
      options(given_options),
      log(given_options.log, given_options.log_level),
      buffers(given_options.buffer_bytes_max > 0 ? given_options.buffer_bytes_max
                                                 : kBudgetStandard),
      roster(platform, io_workers, connections_max),
      layer_facts(roster, buffers, io_workers),
      addresses(options.address_prefix_bits),
      places(connections_max, io_workers + 1, loops_),
      books_(std::make_unique<Books[]>(io_workers + 1)),
      loops_(make_loops(platform, io_workers + 1)) {}

void ServerContext::note_address_full(const ClientAddress& address, TimePoint now) {
  address_gate.write(log, LogLevel::kWarning, now, [&] {
    return address.describe() + " is refused: connections_per_address_max is reached, " +
           std::to_string(options.connections_per_address_max) + " of its address are open";
  });
}

void ServerContext::drop_reference() {
  // Release: what this thread did to the context; acquire: the last one sees what all others did.
  if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

}}}  // namespace trireme
