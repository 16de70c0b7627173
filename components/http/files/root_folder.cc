#include "http/files/root_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <system_error>

namespace trireme { inline namespace v0 { namespace http {

namespace {

// A FIFO would block the one who opens it, a terminal would become ours.
constexpr int kFlags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

}  // namespace

OpenDescriptor::~OpenDescriptor() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

RootFolder::RootFolder(const std::string& path, bool follows_links)
    : root_(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)), follows_links_(follows_links) {
  if (root_) return;
  throw std::system_error(errno, std::generic_category(), "cannot open the folder " + path);
}

int RootFolder::open(const std::string& path, OpenDescriptor& into, struct stat& facts) const {
  OpenDescriptor opened;
  if (const int error = open_below(path, opened)) return error;
  if (::fstat(opened.get(), &facts) != 0) return errno;
  into = std::move(opened);
  return 0;
}

int RootFolder::open_below(const std::string& path, OpenDescriptor& into) const {
  open_how how{};
  how.flags = kFlags;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  if (!follows_links_) how.resolve |= RESOLVE_NO_SYMLINKS;
  const char* const name = path.empty() ? "." : path.c_str();
  // EAGAIN: something was renamed meanwhile, and the kernel cannot tell whether it led out.
  for (int tries = 0; tries < 8; ++tries) {
    const long opened = ::syscall(SYS_openat2, root_.get(), name, &how, sizeof how);
    if (opened >= 0) {
      into = OpenDescriptor(static_cast<int>(opened));
      return 0;
    }
    if (errno != EAGAIN && errno != EINTR) break;
  }
  // Not there, or filtered away; nothing else refuses so.
  if (errno == ENOSYS || errno == EPERM) return walk(path, into);
  return errno;
}

// No link is followed, wherever it leads.
int RootFolder::walk(const std::string& path, OpenDescriptor& into) const {
  OpenDescriptor folder;
  int at = root_.get();
  for (size_t begin = 0;;) {
    const size_t slash = path.find('/', begin);
    const std::string name = path.substr(begin, slash - begin);
    if (name == "..") return EXDEV;
    const bool is_last = slash == std::string::npos;
    const int flags = is_last ? kFlags : O_PATH | O_DIRECTORY | O_CLOEXEC;
    OpenDescriptor next(::openat(at, name.empty() ? "." : name.c_str(), flags | O_NOFOLLOW));
    if (!next) return errno;
    folder = std::move(next);
    if (is_last) break;
    at = folder.get();
    begin = slash + 1;
  }
  into = std::move(folder);
  return 0;
}

std::vector<RootFolder::Name> RootFolder::names_of(OpenDescriptor folder, size_t count_max) {
  std::vector<Name> names;
  const std::unique_ptr<DIR, CloseFolder> open(::fdopendir(folder.get()));
  if (open == nullptr) return names;
  static_cast<void>(folder.release());
  while (names.size() < count_max) {
    const dirent* const entry = ::readdir(open.get());
    if (entry == nullptr) break;
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back({name, entry->d_type == DT_DIR});
  }
  std::sort(names.begin(), names.end(),
            [](const Name& a, const Name& b) { return a.text < b.text; });
  return names;
}

}}}  // namespace trireme::http
