#include "runtime/drivers/poller.h"

#include "runtime/drivers/epoll_poller.h"
#include "runtime/drivers/poll_poller.h"
#include "runtime/drivers/select_poller.h"

namespace trireme { inline namespace v0 {

std::unique_ptr<Poller> make_poller(DriverKind kind, Kernel& kernel) {
  switch (kind) {
    case DriverKind::kPoll:
      return std::make_unique<PollPoller>(kernel);
    case DriverKind::kSelect:
      return std::make_unique<SelectPoller>(kernel);
    case DriverKind::kEpoll:
    case DriverKind::kEpollEdge:
      break;
  }
  return std::make_unique<EpollPoller>(kernel, kind == DriverKind::kEpollEdge);
}

}}  // namespace trireme
