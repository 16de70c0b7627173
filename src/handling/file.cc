#include "trireme/file.h"

#include <cerrno>

#include "handling/job.h"
#include "runtime/check.h"

namespace trireme { inline namespace v0 {
namespace detail {

class OpenFile {
 public:
  OpenFile(Kernel& kernel, int fd, const FileFacts& found)
      : facts(found), kernel_(kernel), fd_(fd) {}
  ~OpenFile() { kernel_.close(fd_); }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  int fd() const { return fd_; }

  const FileFacts facts;

 private:
  Kernel& kernel_;
  const int fd_;
};

}  // namespace detail

std::error_code File::open(const std::string& path, File& into) {
  CHECK(thread_slot != &loop_code_mark, "loop code must not open files: only handlers may wait");
  const Outbox* const outbox = Outbox::current();
  const Platform& platform = outbox != nullptr
                                 ? static_cast<const Job*>(outbox->owner)->run.context->platform
                                 : real_platform();
  const int fd = platform.kernel.open_file(path);
  return fd < 0 ? std::error_code(-fd, std::system_category()) : take(platform.kernel, fd, into);
}

std::error_code File::adopt(int descriptor, File& into) {
  return take(real_platform().kernel, descriptor, into);
}

std::error_code File::take(Kernel& kernel, int descriptor, File& into) {
  FileFacts facts;
  int error = -kernel.file_facts(descriptor, facts);
  if (error == 0 && !facts.is_regular) error = facts.is_folder ? EISDIR : EINVAL;
  if (error != 0) {
    if (error != EBADF) kernel.close(descriptor);
    return {error, std::system_category()};
  }
  into.open_ = std::make_shared<const detail::OpenFile>(kernel, descriptor, facts);
  return {};
}

uint64_t File::size() const { return open_ == nullptr ? 0 : open_->facts.bytes; }

std::chrono::system_clock::time_point File::modified() const {
  const std::chrono::nanoseconds time(open_ == nullptr ? 0 : open_->facts.modified_ns);
  return std::chrono::system_clock::time_point(
      std::chrono::duration_cast<std::chrono::system_clock::duration>(time));
}

uint64_t File::device() const { return open_ == nullptr ? 0 : open_->facts.device; }

uint64_t File::inode() const { return open_ == nullptr ? 0 : open_->facts.inode; }

int File::descriptor() const { return open_ == nullptr ? -1 : open_->fd(); }

}}  // namespace trireme
