#include "runtime/drivers/epoll_poller.h"

namespace trireme { inline namespace v0 {

EpollPoller::~EpollPoller() {
  if (epoll_fd_ >= 0) kernel_.close(epoll_fd_);
}

int EpollPoller::open(int wake_fd) {
  epoll_fd_ = kernel_.epoll_create();
  if (epoll_fd_ < 0) return epoll_fd_;
  return kernel_.epoll_control(epoll_fd_, EPOLL_CTL_ADD, wake_fd, EPOLLIN | EPOLLET, nullptr);
}

int EpollPoller::add(Channel& channel, int fd, uint32_t events) {
  return kernel_.epoll_control(epoll_fd_, EPOLL_CTL_ADD, fd, events, &channel);
}

int EpollPoller::modify(Channel& channel, uint32_t events) {
  return kernel_.epoll_control(epoll_fd_, EPOLL_CTL_MOD, channel.fd, events, &channel);
}

void EpollPoller::remove(Channel& channel) {
  kernel_.epoll_control(epoll_fd_, EPOLL_CTL_DEL, channel.fd, 0, nullptr);
}

int EpollPoller::wait(std::span<epoll_event> into, int timeout_ms) {
  return kernel_.epoll_wait(epoll_fd_, into, timeout_ms);
}

}}  // namespace trireme
