#include "sim/epoll.h"

#include <cerrno>

#include "sim/fail.h"

namespace trireme { inline namespace v0 { namespace sim {
namespace {

constexpr uint32_t kFlags = EPOLLET | EPOLLONESHOT | EPOLLWAKEUP | EPOLLEXCLUSIVE;

}  // namespace

Epoll::~Epoll() {
  for (auto& [fd, registration] : registrations_) {
    registration->target.remove_watch(*registration);
  }
}

void Epoll::Registration::on_notify(uint32_t key) {
  if ((events & ~kFlags) == 0) return;  // a one-shot registration that has fired
  if (key != 0 && (key & events) == 0) return;
  epoll.make_ready(*this);
}

void Epoll::Registration::on_descriptor_closed() {
  epoll.leave_ready(*this);
  epoll.registrations_.erase(fd);  // destroys this object
}

void Epoll::make_ready(Registration& registration) {
  if (!registration.is_ready) {
    registration.is_ready = true;
    registration.place = ready_.insert(ready_.end(), &registration);
  }
  if (!waiting_.empty()) scheduler_.wake(*waiting_.front());
}

void Epoll::leave_ready(Registration& registration) {
  if (!registration.is_ready) return;
  registration.is_ready = false;
  ready_.erase(registration.place);
}

int Epoll::control(int operation, int fd, Pollable& target, uint32_t events, void* data) {
  const auto found = registrations_.find(fd);
  if (operation == EPOLL_CTL_ADD) {
    if (found != registrations_.end()) return -EEXIST;
    auto registration = std::make_unique<Registration>(*this, fd, target);
    registration->events = events | EPOLLERR | EPOLLHUP;
    registration->data = data;
    target.add_watch(*registration);
    if ((target.poll() & registration->events) != 0) make_ready(*registration);
    registrations_.emplace(fd, std::move(registration));
    return 0;
  }
  if (found == registrations_.end()) return -ENOENT;
  Registration& registration = *found->second;
  if (operation == EPOLL_CTL_MOD) {
    registration.events = events | EPOLLERR | EPOLLHUP;
    registration.data = data;
    if ((target.poll() & registration.events) != 0) make_ready(registration);
    return 0;
  }
  if (operation != EPOLL_CTL_DEL) return -EINVAL;
  leave_ready(registration);
  target.remove_watch(registration);
  registrations_.erase(found);
  return 0;
}

int Epoll::collect(std::span<epoll_event> into) {
  size_t count = 0;
  // What is put back at the end is not looked at twice in one wait.
  for (size_t left = ready_.size(); left > 0 && count < into.size(); --left) {
    Registration& registration = *ready_.front();
    leave_ready(registration);
    const uint32_t events = registration.target.poll() & registration.events;
    if (events == 0) continue;
    into[count].events = events;
    into[count].data.ptr = registration.data;
    ++count;
    scheduler_.record(Call::kEpollEvent, registration.fd, 0, events);
    if ((registration.events & EPOLLONESHOT) != 0) {
      registration.events &= kFlags;
    } else if ((registration.events & EPOLLET) == 0) {
      make_ready(registration);
    }
  }
  // More fibers may wait here than one: what is left is for the next.
  if (!ready_.empty() && !waiting_.empty()) scheduler_.wake(*waiting_.front());
  return static_cast<int>(count);
}

int Epoll::wait(std::span<epoll_event> into, TimePoint until, int epoll_fd) {
  for (;;) {
    const int count = collect(into);
    if (count != 0 || scheduler_.now() >= until) return count;
    Fiber* self = scheduler_.current();
    waiting_.push_back(self);
    scheduler_.block({"epoll_wait", epoll_fd, until});
    std::erase(waiting_, self);
  }
}

uint32_t Epoll::poll() {
  for (Registration* registration : ready_) {
    if ((registration->target.poll() & registration->events) != 0) return EPOLLIN | EPOLLRDNORM;
  }
  return 0;
}

void Epoll::close_descriptor() {
  if (!waiting_.empty()) {
    fail("an epoll descriptor was closed while fiber '" + waiting_.front()->name +
         "' waits in epoll_wait on it.");
  }
}

}}}  // namespace trireme::sim
