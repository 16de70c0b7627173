// Read buffers for reserves, each for the loop that it may take: where handlers block often, fresh
// memory of the system would cost as much as the hand-over.
//
// Step 4. Threads: any. Bounded: a few are kept.
#pragma once

#include <memory>
#include <vector>

#include "runtime/memory/buffers.h"
#include "runtime/threads/mutex.h"

namespace trireme { inline namespace v0 {

class ReadBuffers {
 public:
  static constexpr size_t kBytes = 64 << 10;

  explicit ReadBuffers(Buffers& buffers) : buffers_(buffers) {}

  // One that was kept, or a new one. Null: the system has no memory.
  std::shared_ptr<Block> take();
  // One that is not needed any more; null is allowed. Given back to the system if it is no read
  // buffer, if somebody else holds it too, or if there are enough.
  void keep(std::shared_ptr<Block> buffer);
  // The last loop has stopped: from now on none is kept.
  void close();

 private:
  Buffers& buffers_;
  Mutex mutex_;
  std::vector<std::shared_ptr<Block>> kept_ GUARDED_BY(mutex_);
  bool closed_ GUARDED_BY(mutex_) = false;
};

}}  // namespace trireme
