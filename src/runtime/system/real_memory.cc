#include "runtime/system/real_memory.h"

#include <sys/mman.h>

namespace trireme { inline namespace v0 {

char* map_memory(size_t bytes) {
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? nullptr : static_cast<char*>(memory);
}

void unmap_memory(char* memory, size_t bytes) {
  // It fails where it would split a mapping beyond vm.max_map_count; then the pages go at least.
  if (::munmap(memory, bytes) != 0) ::madvise(memory, bytes, MADV_DONTNEED);
}

}}  // namespace trireme
