// A data worker sends the plain answers of its job straight to the socket, if the loop has granted
// that.
//
// Step 6. Threads: the holder grants and takes back; the data worker sends once; what it says about
// that is the holder's when the job has come home (write_token.h says who owns what, and when).
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "handling/write_token.h"
#include "roster/return_flag.h"
#include "runtime/system/kernel.h"

namespace trireme { inline namespace v0 {

class DirectWrite {
 public:
  using Pieces = std::array<std::string_view, 4>;

  // The holder, before the job is handed over. `fd` is good while the token is not the loop's.
  // `flag` is of the slot, which outlives the job.
  void grant(int fd, ReturnFlag& flag) {
    bytes_ = 0;
    error_ = 0;
    fd_ = fd;
    return_flag_ = &flag;
    flag.reset();
    token_.grant();
  }
  // The holder, after grant. True: the send direction is the loop's (again). False: a data worker
  // writes, or has written; the loop is woken as soon as its job comes home.
  bool take_back() {
    if (token_.revoke()) return true;
    await();
    return false;
  }
  // The holder, after grant. It has something to do as soon as the job is home, so the job must not
  // come quietly.
  void await() { return_flag_->await(); }

  // The data worker, after the handlers. Sends `pieces` in order, if it may. True: all has left, so
  // the job may go home quietly: whether it is awaited, return_flag() says when it was posted.
  bool send(Kernel& kernel, const Pieces& pieces);
  const ReturnFlag& return_flag() const { return *return_flag_; }

  // The holder, when the job has come home.
  bool was_written() const { return token_.was_written(); }
  void reset() { token_.reset(); }
  // With was_written(). What has left, envelopes included, and -errno of the call.
  size_t bytes() const { return bytes_; }
  int error() const { return error_; }

 private:
  size_t bytes_ = 0;
  ReturnFlag* return_flag_ = nullptr;
  int fd_ = -1;
  int error_ = 0;
  WriteToken token_;
};

}}  // namespace trireme
