// How the stack of a waiting thread is read without touching the thread:
//
// 1. /proc/self/task/TID/syscall (proc(5)) names the stack pointer and the program counter of a
//    thread that waits in the kernel; of one that runs it says `running`.
// 2. From there each frame is found by the unwind tables that every function has for exceptions
//    (DWARF 5, section 6.4; the tables of x86-64: System V ABI, section 3.7). The tables say where
//    the caller's registers were saved; the words themselves are read with process_vm_readv(2),
//    which reports a bad address where a load would crash: the thread may wake and change its stack
//    at any time.
// 3. Names come from the dynamic symbol tables that are in memory. dladdr(3) would take the lock of
//    the loader, and a thread that waits in dlopen(3) holds it; _dl_find_object(3) takes none.
//
// What cannot be followed ends the list: a frame that describes itself by an expression, code
// without tables, other processors than x86-64 (there: the innermost frame only).
#include "runtime/real_stack.h"

#include <cxxabi.h>
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "runtime/real_unwind.h"

namespace trireme::inline v0 {
namespace {

constexpr size_t kFramesMax = 24;
constexpr size_t kNameBytesMax = 72;

bool read_word(uintptr_t address, uintptr_t& word) {
  const iovec local{&word, sizeof(word)};
  const iovec remote{reinterpret_cast<void*>(address), sizeof(word)};
  return ::process_vm_readv(::getpid(), &local, 1, &remote, 1, 0) == sizeof(word);
}

// False: the thread does not wait, or it cannot be told.
bool waits_at(uint64_t thread, uintptr_t& stack, uintptr_t& code) {
  std::array<char, 64> path;
  std::snprintf(path.data(), path.size(), "/proc/self/task/%" PRIu64 "/syscall", thread);
  const int fd = ::open(path.data(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  std::array<char, 256> text;
  const ssize_t bytes = ::read(fd, text.data(), text.size() - 1);
  ::close(fd);
  if (bytes <= 0) return false;
  text[static_cast<size_t>(bytes)] = '\0';
  // The last two fields; there are nine, or three when it waits outside of a system call.
  char* end = text.data() + bytes;
  while (end > text.data() && (end[-1] == '\n' || end[-1] == ' ')) *--end = '\0';
  char* last = std::strrchr(text.data(), ' ');
  if (last == nullptr) return false;
  *last = '\0';
  char* before = std::strrchr(text.data(), ' ');
  if (before == nullptr) return false;
  stack = std::strtoull(before + 1, nullptr, 16);
  code = std::strtoull(last + 1, nullptr, 16);
  return stack != 0 && code != 0;
}

#ifdef DLFO_STRUCT_HAS_EH_DBASE  // of a C library that has _dl_find_object
struct Symbols {
  const ElfW(Sym) * table = nullptr;
  const char* names = nullptr;
  const uint32_t* hash = nullptr;  // DT_GNU_HASH
};

Symbols symbols_of(const link_map& object) {
  Symbols symbols;
  for (const ElfW(Dyn)* entry = object.l_ld; entry->d_tag != DT_NULL; ++entry) {
    // The loader has made addresses of these, except in objects that it must not write to (vDSO).
    auto address = static_cast<uintptr_t>(entry->d_un.d_ptr);
    if (address < object.l_addr) address += object.l_addr;
    if (entry->d_tag == DT_SYMTAB) symbols.table = reinterpret_cast<const ElfW(Sym)*>(address);
    if (entry->d_tag == DT_STRTAB) symbols.names = reinterpret_cast<const char*>(address);
    if (entry->d_tag == DT_GNU_HASH) symbols.hash = reinterpret_cast<const uint32_t*>(address);
  }
  return symbols;
}

// The table has no length of its own: the hash table knows its last entry.
uint32_t count_of(const uint32_t* hash) {
  const uint32_t buckets = hash[0], first = hash[1], bloom = hash[2];
  const uint32_t* bucket = hash + 4 + bloom * (sizeof(uintptr_t) / 4);
  const uint32_t* chain = bucket + buckets;
  uint32_t last = 0;
  for (uint32_t i = 0; i < buckets; ++i) last = std::max(last, bucket[i]);
  if (last < first) return first;
  while (!(chain[last - first] & 1)) ++last;
  return last + 1;
}

const char* name_at(const link_map& object, uintptr_t code) {
  const Symbols symbols = symbols_of(object);
  if (symbols.table == nullptr || symbols.names == nullptr || symbols.hash == nullptr)
    return nullptr;
  const uint32_t count = count_of(symbols.hash);
  for (uint32_t i = 0; i < count; ++i) {
    const ElfW(Sym)& symbol = symbols.table[i];
    if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_shndx == SHN_UNDEF) continue;
    const uintptr_t begin = object.l_addr + symbol.st_value;
    if (code >= begin && code < begin + symbol.st_size) return symbols.names + symbol.st_name;
  }
  return nullptr;
}

std::string demangled(const char* name) {
  int status = 0;
  char* plain = abi::__cxa_demangle(name, nullptr, nullptr, &status);
  std::string text = plain != nullptr ? plain : name;
  std::free(plain);
  if (text.size() > kNameBytesMax) text = text.substr(0, kNameBytesMax) + "...";
  return text;
}

std::string describe(uintptr_t code) {
  dl_find_object found;
  std::array<char, 32> offset;
  if (::_dl_find_object(reinterpret_cast<void*>(code), &found) != 0) {
    std::snprintf(offset.data(), offset.size(), "0x%" PRIxPTR, code);
    return offset.data();
  }
  const link_map& object = *found.dlfo_link_map;
  if (const char* name = name_at(object, code)) return demangled(name);
  const char* slash = std::strrchr(object.l_name, '/');
  std::string file = slash != nullptr ? slash + 1 : object.l_name;
  if (file.empty()) file = "program";
  std::snprintf(offset.data(), offset.size(), "+0x%" PRIxPTR, code - object.l_addr);
  return file + offset.data();
}
#else
std::string describe(uintptr_t code) {
  std::array<char, 32> text;
  std::snprintf(text.data(), text.size(), "0x%" PRIxPTR, code);
  return text.data();
}
#endif

}  // namespace

std::string real_stack_of(uint64_t thread) {
  UnwindFrame frame;
  if (!waits_at(thread, frame.stack, frame.code)) return {};
  std::string stack = describe(frame.code);
  for (size_t i = 1; i < kFramesMax && unwind_one(frame, read_word, i == 1); ++i) {
    // The return address may be the first of the next function: the call is before it.
    stack += " < " + describe(frame.code - 1);
  }
  return stack;
}

}  // namespace trireme
