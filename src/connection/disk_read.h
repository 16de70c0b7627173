// A part of a file that is not in the memory of the system, on its way to a thread that may wait
// for the disk, and back.
//
// Step 6. Threads: the holder of the loop makes it and takes it back; in between it belongs to the
// thread that runs it. Bounded: one of a connection at a time, with a block of kBytesMax.
#pragma once

#include <cerrno>
#include <cstddef>
#include <utility>

#include "handling/side_job.h"
#include "roster/mail_kinds.h"
#include "runtime/memory/buffers.h"
#include "trireme/file.h"

namespace trireme { inline namespace v0 {

struct DiskRead final : SideJob {
  static constexpr size_t kBytesMax = 128 << 10;

  DiskRead(ConnectionId whose, FileRange what, Block into)
      : SideJob(kMailDiskRead, whose), range(std::move(what)), block(std::move(into)) {}

  void run(Kernel& kernel) noexcept override {
    const iovec into{block.data(), block.capacity()};
    do {
      result = kernel.read_file(range.file.descriptor(), range.offset, {&into, 1}, true);
    } while (result == -EINTR);
  }

  const FileRange range;
  Block block;
  ssize_t result = -EIO;
};

}}  // namespace trireme
