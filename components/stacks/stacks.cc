// How the stack of a waiting thread is read without touching the thread:
//
// 1. /proc/self/task/TID/syscall (proc(5)) names the stack pointer and the program counter of a
//    thread that waits in the kernel; of one that runs it says `running`.
// 2. From there libdwfl follows the unwind tables that every function has for exceptions. It reads
//    the words of the stack with process_vm_readv(2), which reports a bad address where a load
//    would crash: the thread may wake and change its stack at any time.
// 3. Names come from the symbol tables of the files that are loaded. No lock of the loader is
//    taken: a thread that waits in dlopen(3) holds it.
#include "trireme/stacks.h"

#include <cxxabi.h>
#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>

namespace trireme { inline namespace v0 {
namespace {

constexpr int kFramesMax = 24;
constexpr size_t kNameBytesMax = 72;

// Where a thread waits; to libdwfl, all that is known of it.
struct Waiting {
  pid_t thread = 0;
  Dwarf_Word stack = 0;
  Dwarf_Word code = 0;
};

// False: the thread does not wait, or it cannot be told.
bool read_waiting(uint64_t thread, Waiting& waiting) {
  std::array<char, 64> path;
  std::snprintf(path.data(), path.size(), "/proc/self/task/%" PRIu64 "/syscall", thread);
  const int fd = ::open(path.data(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  std::array<char, 256> text;
  const ssize_t bytes = ::read(fd, text.data(), text.size() - 1);
  ::close(fd);
  if (bytes <= 0) return false;
  // The last two fields; there are nine, or three when it waits outside of a system call.
  std::string fields(text.data(), static_cast<size_t>(bytes));
  fields.erase(fields.find_last_not_of(" \n") + 1);
  const size_t last = fields.rfind(' ');
  if (last == std::string::npos || last == 0) return false;
  const size_t before = fields.rfind(' ', last - 1);
  if (before == std::string::npos) return false;
  waiting.thread = static_cast<pid_t>(thread);
  waiting.stack = std::strtoull(fields.c_str() + before + 1, nullptr, 16);
  waiting.code = std::strtoull(fields.c_str() + last + 1, nullptr, 16);
  return waiting.stack != 0 && waiting.code != 0;
}

pid_t next_thread(Dwfl*, void* process, void** thread) {
  if (*thread != nullptr) return 0;
  *thread = process;
  return static_cast<Waiting*>(process)->thread;
}

bool get_thread(Dwfl*, pid_t, void* process, void** thread) {
  *thread = process;
  return true;
}

bool read_word(Dwfl*, Dwarf_Addr address, Dwarf_Word* word, void*) {
  uintptr_t value = 0;
  const iovec local{&value, sizeof(value)};
  const iovec remote{reinterpret_cast<void*>(static_cast<uintptr_t>(address)), sizeof(value)};
  if (::process_vm_readv(::getpid(), &local, 1, &remote, 1, 0) != sizeof(value)) return false;
  *word = value;
  return true;
}

bool set_registers(Dwfl_Thread* thread, void* argument) {
#if defined(__x86_64__)
  constexpr int kStackRegister = 7;  // System V ABI of x86-64, section 3.6.2
#elif defined(__aarch64__)
  constexpr int kStackRegister = 31;  // DWARF for the Arm 64-bit Architecture, section 4.1
#else
  constexpr int kStackRegister = -1;  // no stacks
#endif
  if (kStackRegister < 0) return false;
  const auto& waiting = *static_cast<Waiting*>(argument);
  if (!dwfl_thread_state_registers(thread, kStackRegister, 1, &waiting.stack)) return false;
  dwfl_thread_state_register_pc(thread, waiting.code);
  return true;
}

// Names are worth a line in a log, not a search through the file system.
int no_debug_files(Dwfl_Module*, void**, const char*, Dwarf_Addr, const char*, const char*,
                   GElf_Word, char**) {
  return -1;
}

std::string demangled(const char* name) {
  int status = 0;
  char* plain = abi::__cxa_demangle(name, nullptr, nullptr, &status);
  std::string text = plain != nullptr ? plain : name;
  std::free(plain);
  if (text.size() > kNameBytesMax) text = text.substr(0, kNameBytesMax) + "...";
  return text;
}

// Of one process: what is loaded into it, and a stack at a time. One for all servers, never
// destroyed, since a server that was abandoned may go on reporting.
class Stacks {
 public:
  Stacks() {
    dwfl_ = dwfl_begin(&kCallbacks);
    if (dwfl_ == nullptr) return;
    look_at_objects();
    attached_ = dwfl_attach_state(dwfl_, nullptr, ::getpid(), &kThreadCallbacks, &waiting_);
    read(static_cast<uint64_t>(::gettid()));  // reads the tables
  }

  // Any thread.
  std::string read(uint64_t thread) {
    const std::lock_guard lock(mutex_);
    if (!attached_) return {};
    stack_.clear();
    frames_ = 0;
    if (!read_waiting(thread, waiting_)) return {};
    if (dwfl_addrmodule(dwfl_, waiting_.code) == nullptr) look_at_objects();  // loaded since
    dwfl_getthread_frames(dwfl_, waiting_.thread, add_frame, this);
    return stack_;
  }

 private:
  static constexpr Dwfl_Callbacks kCallbacks{.find_elf = dwfl_linux_proc_find_elf,
                                             .find_debuginfo = no_debug_files,
                                             .section_address = nullptr,
                                             .debuginfo_path = nullptr};
  static constexpr Dwfl_Thread_Callbacks kThreadCallbacks{.next_thread = next_thread,
                                                          .get_thread = get_thread,
                                                          .memory_read = read_word,
                                                          .set_initial_registers = set_registers,
                                                          .detach = nullptr,
                                                          .thread_detach = nullptr};

  static int add_frame(Dwfl_Frame* frame, void* argument) {
    auto& reader = *static_cast<Stacks*>(argument);
    Dwarf_Addr code = 0;
    bool at_instruction = false;
    if (!dwfl_frame_pc(frame, &code, &at_instruction)) return DWARF_CB_ABORT;
    // A return address may be the first of the next function: the call is before it.
    if (!at_instruction) --code;
    if (reader.frames_ > 0) reader.stack_ += " < ";
    reader.stack_ += reader.describe(code);
    return ++reader.frames_ < kFramesMax ? DWARF_CB_OK : DWARF_CB_ABORT;
  }

  void look_at_objects() {
    dwfl_report_begin(dwfl_);
    dwfl_linux_proc_report(dwfl_, ::getpid());
    dwfl_report_end(dwfl_, nullptr, nullptr);
  }

  std::string describe(Dwarf_Addr code) {
    Dwfl_Module* const module = dwfl_addrmodule(dwfl_, code);
    const char* name = module != nullptr ? dwfl_module_addrname(module, code) : nullptr;
    if (name != nullptr) return demangled(name);
    std::array<char, 32> offset;
    if (module == nullptr) {
      std::snprintf(offset.data(), offset.size(), "0x%" PRIx64, code);
      return offset.data();
    }
    Dwarf_Addr begin = 0;
    const char* file =
        dwfl_module_info(module, nullptr, &begin, nullptr, nullptr, nullptr, nullptr, nullptr);
    const char* slash = file != nullptr ? std::strrchr(file, '/') : nullptr;
    std::snprintf(offset.data(), offset.size(), "+0x%" PRIx64, code - begin);
    return std::string(slash != nullptr ? slash + 1 : "program") + offset.data();
  }

  std::mutex mutex_;
  Dwfl* dwfl_ = nullptr;
  bool attached_ = false;
  Waiting waiting_;    // the one that is read
  std::string stack_;  // so far
  int frames_ = 0;
};

}  // namespace

void use_stacks(ServerOptions& options) {
  static Stacks& stacks = *new Stacks;
  options.stack_reader = [](uint64_t thread) { return stacks.read(thread); };
}

}}  // namespace trireme
