#include "runtime/drivers/poll_poller.h"

#include <algorithm>
#include <cerrno>

namespace trireme { inline namespace v0 {
namespace {

static_assert(POLLIN == EPOLLIN && POLLPRI == EPOLLPRI && POLLOUT == EPOLLOUT &&
                  POLLERR == EPOLLERR && POLLHUP == EPOLLHUP && POLLRDHUP == EPOLLRDHUP,
              "the bits of poll are those of epoll");

}  // namespace

int PollPoller::open(int wake_fd) {
  set_.push_back({wake_fd, POLLIN, 0});
  channels_.push_back(nullptr);
  return 0;
}

int PollPoller::add(Channel& channel, int fd, uint32_t events) {
  channel.place = static_cast<uint32_t>(set_.size());
  set_.push_back({fd, static_cast<short>(events), 0});
  channels_.push_back(&channel);
  return 0;
}

int PollPoller::modify(Channel& channel, uint32_t events) {
  set_[channel.place].events = static_cast<short>(events);
  return 0;
}

// The last entry takes its place.
void PollPoller::remove(Channel& channel) {
  const uint32_t place = channel.place;
  set_[place] = set_.back();
  channels_[place] = channels_.back();
  channels_[place]->place = place;
  set_.pop_back();
  channels_.pop_back();
}

int PollPoller::wait(std::span<epoll_event> into, int timeout_ms) {
  int ready = kernel_.poll(set_, timeout_ms);
  if (ready == -ENOMEM) {
    // The copy of the set did not fit. One entry always does: no client is heard for a moment, mail
    // is, and the loop does not spin.
    kernel_.poll(std::span(set_).first(1), wait_without_memory(timeout_ms));
    return 0;
  }
  if (ready < 0) return ready;
  // Where the last wait left off, if it could not tell them all: nobody waits for ever.
  size_t count = 0;
  size_t at = first_ < set_.size() ? first_ : 0;
  first_ = 0;
  for (size_t left = set_.size(); ready > 0 && left > 0;
       --left, at = at + 1 < set_.size() ? at + 1 : 0) {
    const auto bits = static_cast<uint16_t>(set_[at].revents);
    if (bits == 0) continue;
    if (count == into.size()) {
      first_ = at;
      break;
    }
    // NVAL: somebody has closed a descriptor of ours. The next call on it will say so.
    into[count].events = (bits & POLLNVAL) ? uint32_t{EPOLLERR} : uint32_t{bits};
    into[count].data.ptr = channels_[at];
    ++count;
    --ready;
  }
  return static_cast<int>(count);
}

}}  // namespace trireme
