// The history of one world, folded into 64 bits: every seam call with its fiber, its arguments and
// its result, in the order in which they took effect. Two runs with equal hashes did the same.
//
// Step: none, test support. Thread: any fiber of the world.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string_view>

#include "runtime/system/clock.h"

namespace trireme { inline namespace v0 { namespace sim {

enum class Call : uint8_t {
  kSocket,
  kBind,
  kListen,
  kConnect,
  kAccept,
  kSetOption,
  kSocketError,
  kLocalAddress,
  kReceive,
  kSend,
  kBytesReadable,
  kShutdown,
  kClose,
  kReset,
  kEpollCreate,
  kEpollControl,
  kEpollWait,
  kEpollEvent,
  kEventCreate,
  kEventSignal,
  kEventClear,
  kRaiseDescriptorLimit,
  kClockNow,
  kThreadStart,
  kThreadJoin,
  kThreadDetach,
  kPark,
  kUnpark,
  kSleep,
  kRelax,
  kSetName,
  kClientConnect,
  kClientSend,
  kClientReceive,
  kClientShutdown,
  kClientReset,
  kClientClose,
  kBytesUnsent,
  kPoll,
  kSelect,
  kSetEvent,
  kCpuTime,
  kQuietTime,
  kGetOption,
  kPeerCredentials,
  kInherit,
  kSetMode,
  kFileStatus,
  kRemoveFile,
  kSetFileMode,
  kSetFileOwner,
  kOpenFile,
  kFileFacts,
  kReadFile,
  kSendFile,
  kBreakOff,
};

class Trace {
 public:
  struct Entry {
    TimePoint time;
    uint32_t fiber;
    Call call;
    int64_t first = 0;  // the arguments; never a pointer
    int64_t second = 0;
    int64_t result = 0;
  };

  // Any fiber. Also writes one line to the log, when there is one.
  void add(const Entry& entry);
  // Any fiber. For the bytes that a call carried.
  void add_bytes(std::string_view bytes);

  uint64_t hash() const { return hash_; }
  uint64_t calls() const { return calls_; }
  // Before run(). `log` is borrowed until the world ends; null turns the log off.
  void set_log(std::FILE* log) { log_ = log; }

 private:
  void mix(uint64_t value);

  uint64_t hash_ = 0x7472697265'6d65ULL;
  uint64_t calls_ = 0;
  std::FILE* log_ = nullptr;
};

}}}  // namespace trireme::sim
