// Says when what has come of a handshake is worth a job: whole records, and at first a whole hello.
// So a client that drips costs memory for what it has sent, and nothing else.
//
// Step 2. Thread: the holder of the loop. Pure. RFC 8446, sections 4 and 5.1.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace trireme { inline namespace v0 { namespace tls {

class HelloGate {
 public:
  enum class Look : uint8_t {
    kMore,    // nothing to do yet
    kReady,   // whole_bytes() are for OpenSSL, which also judges what is wrong with them
    kNotTls,  // of the first bytes: this is another protocol
  };

  // `all`: what has come and was not given away. Bytes that were there at the last look are not
  // looked at again.
  Look look(std::string_view all);
  // With kReady. A number of whole records; all, if something is wrong with one.
  size_t whole_bytes() const { return whole_; }
  // They were given away: the rest begins with a record of a later flight.
  void note_taken() {
    whole_ = 0;
    is_first_ = false;
  }

 private:
  Look judge(std::string_view all);
  bool take_payload(std::string_view payload);

  size_t whole_ = 0;               // of whole records that were looked at
  size_t payload_ = 0;             // bytes of the hello in them
  std::array<uint8_t, 4> head_{};  // of the hello: its type, and its length
  bool is_first_ = true;
};

}}}  // namespace trireme::tls
