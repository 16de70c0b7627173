// The virtual machine of DWARF 5, section 6.4: a table says for each place in a function how to
// find the canonical frame address (CFA: the stack pointer before the call) and where, relative to
// it, the caller's registers are.
#include "runtime/real_unwind.h"

#include <cstring>

#if defined(__x86_64__)

// Of the unwinder that comes with the compiler; takes no lock with glibc 2.35 and later. Weak: a
// program without it has one frame a stack.
struct UnwindBases {
  void* text;
  void* data;
  void* function;
};
extern "C" const void* _Unwind_Find_FDE(void* code, UnwindBases* bases) __attribute__((weak));

namespace trireme::inline v0 {
namespace {

constexpr uint32_t kStackRegister = 7, kReturnAddress = 16;

// Reads the table of one function.
struct Reader {
  const uint8_t* at;
  const uint8_t* end;

  bool more() const { return at < end; }
  uint8_t byte() { return more() ? *at++ : uint8_t{0}; }
  template <class T>
  T fixed() {
    T value{};
    if (static_cast<size_t>(end - at) >= sizeof(T)) std::memcpy(&value, at, sizeof(T));
    at += sizeof(T);
    return value;
  }
  uint64_t unsigned_leb() {
    uint64_t value = 0;
    for (uint32_t shift = 0; more() && shift < 64; shift += 7) {
      const uint8_t part = byte();
      value |= uint64_t{part & 0x7fu} << shift;
      if (!(part & 0x80)) break;
    }
    return value;
  }
  int64_t signed_leb() {
    uint64_t value = 0;
    uint32_t shift = 0;
    uint8_t part = 0;
    do {
      part = byte();
      value |= uint64_t{part & 0x7fu} << shift;
      shift += 7;
    } while ((part & 0x80) && shift < 64 && more());
    if (shift < 64 && (part & 0x40)) value |= ~uint64_t{0} << shift;
    return static_cast<int64_t>(value);
  }
};

struct Rules {
  uint32_t base_register = kStackRegister;
  int64_t base_offset = 0;
  bool expression = false;  // of the frame address: not followed
  std::array<int64_t, UnwindFrame::kRegisters> offset{};
  uint32_t at_offset = 0;  // bits: the register was saved at `offset` from the frame address
  uint32_t lost = 0;       // bits: undefined, or by a rule that is not followed
};

struct Table {
  uint64_t code_align = 1;
  int64_t data_align = 1;
  uint8_t code_encoding = 0;
  Reader common{};    // instructions of all functions of its kind
  Reader function{};  // and of this one
};

size_t size_of(uint8_t encoding) {
  switch (encoding & 7) {
    case 2:
      return 2;
    case 3:
      return 4;
    default:
      return 8;
  }
}

bool parse(const uint8_t* entry, Table& table) {
  uint32_t length = 0;
  std::memcpy(&length, entry, 4);
  int32_t back = 0;
  std::memcpy(&back, entry + 4, 4);
  const uint8_t* common = entry + 4 - back;
  uint32_t common_length = 0;
  std::memcpy(&common_length, common, 4);
  if (length == 0 || length == ~0u || common_length == 0 || common_length == ~0u) return false;
  Reader head{common + 8, common + 4 + common_length};
  const uint8_t version = head.byte();
  const auto* augmentation = reinterpret_cast<const char*>(head.at);
  head.at += std::strlen(augmentation) + 1;
  if (augmentation[0] != 'z') return false;
  table.code_align = head.unsigned_leb();
  table.data_align = head.signed_leb();
  if (version == 1) {
    head.byte();
  } else {
    head.unsigned_leb();
  }
  const uint64_t augmentation_bytes = head.unsigned_leb();
  const uint8_t* instructions = head.at + augmentation_bytes;
  for (const char* letter = augmentation + 1; *letter != '\0'; ++letter) {
    if (*letter == 'R') {
      table.code_encoding = head.byte();
    } else if (*letter == 'L') {
      head.byte();
    } else if (*letter == 'P') {
      head.at += size_of(head.byte());
    } else if (*letter != 'S' && *letter != 'B') {
      return false;
    }
  }
  table.common = {instructions, head.end};
  Reader own{entry + 8 + 2 * size_of(table.code_encoding), entry + 4 + length};
  const uint64_t own_bytes = own.unsigned_leb();
  table.function = {own.at + own_bytes, own.end};
  return true;
}

// Runs the instructions of a table up to the place that is looked for.
class Machine {
 public:
  Machine(const Table& table, uintptr_t begin, uintptr_t target)
      : table_(table), place_(begin), target_(target) {}

  bool run(Rules& rules) {
    if (!run(table_.common, rules)) return false;
    initial_ = rules;
    return run(table_.function, rules);
  }

 private:
  static constexpr size_t kRemembered = 4;

  bool run(Reader code, Rules& rules) {
    while (code.more() && place_ <= target_) {
      const uint8_t byte = code.byte();
      const uint32_t low = byte & 0x3f;
      switch (byte & 0xc0) {
        case 0x40:
          place_ += low * table_.code_align;
          continue;
        case 0x80:
          saved_at(rules, low, static_cast<int64_t>(code.unsigned_leb()));
          continue;
        case 0xc0:
          restore(rules, low);
          continue;
        default:
          if (!extended(byte, code, rules)) return false;
      }
    }
    return true;
  }

  // why-long: the list of all instructions that have a byte of their own.
  bool extended(uint8_t instruction, Reader& code, Rules& rules) {
    switch (instruction) {
      case 0x00:  // nop
        return true;
      case 0x02:
        place_ += code.byte() * table_.code_align;
        return true;
      case 0x03:
        place_ += code.fixed<uint16_t>() * table_.code_align;
        return true;
      case 0x04:
        place_ += code.fixed<uint32_t>() * table_.code_align;
        return true;
      case 0x05: {  // offset_extended
        const auto number = static_cast<uint32_t>(code.unsigned_leb());
        saved_at(rules, number, static_cast<int64_t>(code.unsigned_leb()));
        return true;
      }
      case 0x06:
        restore(rules, static_cast<uint32_t>(code.unsigned_leb()));
        return true;
      case 0x07:  // undefined
        lose(rules, static_cast<uint32_t>(code.unsigned_leb()));
        return true;
      case 0x08:  // same_value
        same(rules, static_cast<uint32_t>(code.unsigned_leb()));
        return true;
      case 0x09:  // register
        lose(rules, static_cast<uint32_t>(code.unsigned_leb()));
        code.unsigned_leb();
        return true;
      case 0x0a:
        if (remembered_count_ == kRemembered) return false;
        remembered_[remembered_count_++] = rules;
        return true;
      case 0x0b:
        if (remembered_count_ == 0) return false;
        rules = remembered_[--remembered_count_];
        return true;
      case 0x0c:  // def_cfa
        rules.expression = false;
        rules.base_register = static_cast<uint32_t>(code.unsigned_leb());
        rules.base_offset = static_cast<int64_t>(code.unsigned_leb());
        return true;
      case 0x0d:
        rules.base_register = static_cast<uint32_t>(code.unsigned_leb());
        return true;
      case 0x0e:
        rules.base_offset = static_cast<int64_t>(code.unsigned_leb());
        return true;
      case 0x0f:  // def_cfa_expression
        rules.expression = true;
        code.at += code.unsigned_leb();
        return true;
      case 0x10:  // expression
      case 0x16:  // val_expression
        lose(rules, static_cast<uint32_t>(code.unsigned_leb()));
        code.at += code.unsigned_leb();
        return true;
      case 0x11: {  // offset_extended_sf
        const auto number = static_cast<uint32_t>(code.unsigned_leb());
        saved_at(rules, number, code.signed_leb());
        return true;
      }
      case 0x12:  // def_cfa_sf
        rules.expression = false;
        rules.base_register = static_cast<uint32_t>(code.unsigned_leb());
        rules.base_offset = code.signed_leb() * table_.data_align;
        return true;
      case 0x13:
        rules.base_offset = code.signed_leb() * table_.data_align;
        return true;
      case 0x2e:  // GNU_args_size
        code.unsigned_leb();
        return true;
      default:
        return false;
    }
  }

  static uint32_t bit(uint32_t number) {
    return number < UnwindFrame::kRegisters ? 1u << number : 0;
  }
  void saved_at(Rules& rules, uint32_t number, int64_t factored) const {
    if (bit(number) == 0) return;
    rules.offset[number] = factored * table_.data_align;
    rules.at_offset |= bit(number);
    rules.lost &= ~bit(number);
  }
  static void lose(Rules& rules, uint32_t number) {
    rules.at_offset &= ~bit(number);
    rules.lost |= bit(number);
  }
  static void same(Rules& rules, uint32_t number) {
    rules.at_offset &= ~bit(number);
    rules.lost &= ~bit(number);
  }
  void restore(Rules& rules, uint32_t number) const {
    if (bit(number) == 0) return;
    rules.offset[number] = initial_.offset[number];
    rules.at_offset = (rules.at_offset & ~bit(number)) | (initial_.at_offset & bit(number));
    rules.lost = (rules.lost & ~bit(number)) | (initial_.lost & bit(number));
  }

  const Table& table_;
  uintptr_t place_;
  const uintptr_t target_;
  Rules initial_;
  std::array<Rules, kRemembered> remembered_;
  size_t remembered_count_ = 0;
};

}  // namespace

bool unwind_one(UnwindFrame& frame, bool (*read_word)(uintptr_t, uintptr_t&), bool innermost) {
  if (_Unwind_Find_FDE == nullptr) return false;
  const uintptr_t target = innermost ? frame.code : frame.code - 1;
  UnwindBases bases{};
  const void* entry = _Unwind_Find_FDE(reinterpret_cast<void*>(target), &bases);
  Table table;
  if (entry == nullptr || !parse(static_cast<const uint8_t*>(entry), table)) return false;
  Rules rules;
  Machine machine(table, reinterpret_cast<uintptr_t>(bases.function), target);
  if (!machine.run(rules) || rules.expression) return false;
  uintptr_t base = frame.stack;
  if (rules.base_register != kStackRegister) {
    const uint32_t number = rules.base_register;
    if (number >= UnwindFrame::kRegisters || !(frame.known >> number & 1)) return false;
    base = frame.saved[number];
  }
  const uintptr_t address = base + static_cast<uintptr_t>(rules.base_offset);
  if (address <= frame.stack) return false;  // callers are above
  for (uint32_t number = 0; number < UnwindFrame::kRegisters; ++number) {
    const uint32_t bit = 1u << number;
    if (rules.lost & bit) frame.known &= ~bit;
    if (!(rules.at_offset & bit)) continue;
    uintptr_t word = 0;
    if (!read_word(address + static_cast<uintptr_t>(rules.offset[number]), word)) return false;
    frame.saved[number] = word;
    frame.known |= bit;
  }
  if (!(rules.at_offset >> kReturnAddress & 1)) return false;  // the outermost frame
  frame.code = frame.saved[kReturnAddress];
  frame.stack = address;
  return frame.code != 0;
}

}  // namespace trireme

#else

namespace trireme::inline v0 {

bool unwind_one(UnwindFrame&, bool (*)(uintptr_t, uintptr_t&), bool) { return false; }

}  // namespace trireme

#endif
