// Step 1: the file of a unix socket, from bind(2) to its removal.
//
// A file whose server has died stays behind. It is replaced; one whose server lives is not.
#pragma once

#include <cstdint>
#include <string>

#include "accept/endpoint.h"
#include "runtime/system/kernel.h"
#include "trireme/options.h"
#include "trireme/result.h"

namespace trireme { inline namespace v0 {

struct SocketFile {
  std::string path{};
  uint64_t device = 0;
  uint64_t inode = 0;
};

// Before start(). Binds `fd` to the path of `endpoint`, and gives the file the owner and the
// permissions of `options` before anybody can connect. An error has a reason, no whole sentence;
// then nothing is left behind.
Result<SocketFile> bind_file(Kernel& kernel, int fd, const Endpoint& endpoint,
                             const SocketOptions& options);

// Any thread, before the socket is closed: until then no other file has its inode. Removes the file
// if the path still names it. 0, or -errno; 0 as well if it is gone, or another's.
int remove_file(Kernel& kernel, const SocketFile& file);

}}  // namespace trireme
