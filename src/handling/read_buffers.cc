#include "handling/read_buffers.h"

#include <utility>

#include "runtime/memory/scarce.h"

namespace trireme { inline namespace v0 {
namespace {

constexpr size_t kKept = 4;

}  // namespace

std::shared_ptr<Block> ReadBuffers::take() {
  {
    MutexLock lock(mutex_);
    if (!kept_.empty()) {
      std::shared_ptr<Block> buffer = std::move(kept_.back());
      kept_.pop_back();
      return buffer;
    }
  }
  Block made = buffers_.try_make_fixed(kBytes);
  std::shared_ptr<Block> shared;
  if (!made || !with_memory([&] { shared = std::make_shared<Block>(std::move(made)); })) return {};
  return shared;
}

void ReadBuffers::keep(std::shared_ptr<Block> buffer) {
  if (buffer == nullptr || buffer.use_count() > 1 || buffer->capacity() != kBytes) return;
  if (buffers_.under_pressure()) return;  // what is kept would hold clients back
  MutexLock lock(mutex_);
  if (!closed_ && kept_.size() < kKept) kept_.push_back(std::move(buffer));
}

void ReadBuffers::close() {
  MutexLock lock(mutex_);
  closed_ = true;
  kept_.clear();
}

}}  // namespace trireme
