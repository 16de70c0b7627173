#include "handling/direct_write.h"

#include <cerrno>
#include <span>

namespace trireme { inline namespace v0 {

bool DirectWrite::send(Kernel& kernel, const Pieces& pieces) {
  if (!token_.begin()) return false;
  std::array<iovec, std::tuple_size_v<Pieces>> vectors;
  size_t count = 0, total = 0;
  for (const std::string_view piece : pieces) {
    if (piece.empty()) continue;
    vectors[count++] = {const_cast<char*>(piece.data()), piece.size()};
    total += piece.size();
  }
  if (total > 0) {
    ssize_t sent = 0;
    do {
      sent = kernel.send(fd_, std::span(vectors).first(count));
    } while (sent == -EINTR);
    // What is short, or failed, is the loop's business when the job has come home.
    if (sent > 0) bytes_ = static_cast<size_t>(sent);
    if (sent < 0 && sent != -EAGAIN) error_ = static_cast<int>(sent);
  }
  token_.done();
  return bytes_ == total && error_ == 0;
}

}}  // namespace trireme
