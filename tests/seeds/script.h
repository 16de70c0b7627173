// What one client sends, what it must hear, and what it has heard.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "plan.h"

namespace seeds {

// A request of the codec `lines`: what the handler shall do is in the request itself, so that the
// client knows the reply.
struct Command {
  size_t client = 0;
  uint64_t number = 0;
  char verb = 'a';
  uint64_t microseconds = 0;
  uint64_t reply_bytes = 0;

  static std::optional<Command> parse(std::string_view line);
  std::string line() const;
  std::string answer() const;  // of the handler, for verbs that answer
};

// verbs: a answer, s sleep first, y answer from another fiber later, p push to its own connection,
// o push to others, t throw, d drop the Reply, x drop it from another fiber, e error, b busy,
// n no answer, c close with the answer, C Peer::close
inline constexpr std::string_view kVerbs = "aaaaaaaaaasssssyyypppootdxebncC";

// A byte of the codec `bytes`: says who sent it, and three bits of where in its stream it was.
char stream_byte(size_t client, size_t position);
inline size_t client_of_byte(char byte) { return (static_cast<unsigned char>(byte) - 48U) / 8; }
inline constexpr char kPushByte = '#';

struct Script {
  struct Step {
    size_t end = 0;  // bytes of the stream up to the end of this request
    uint64_t number = 0;
    std::string reply;  // with its end; empty: none
    bool closes = false;
  };
  std::string bytes;
  std::vector<Step> steps;   // of lines
  size_t request_bytes = 0;  // `bytes` without the unterminated rest
};

Script draw_script(Random& random, size_t client, const ClientPlan& plan,
                   const ServicePlan& service);

// Reads what a client received, as it comes.
class Transcript {
 public:
  Transcript(const Script& script, const ServicePlan& service, size_t client)
      : script_(script), service_(service), client_(client) {}

  // `own_pushes`: numbers of requests whose handlers pushed to this client and then answered.
  void feed(std::string_view bytes, const std::set<uint64_t>& own_pushes);
  // The stream is over: what is left must be the beginning of something.
  void finish();

  // True if all that was asked in the first `bytes` of the script has its whole reply.
  bool answered(size_t bytes) const;
  // How much of the script that is.
  size_t answered_bytes() const;
  bool complete() const { return answered(script_.request_bytes); }
  // True if the request that closes the connection was answered, or
  // one behind it.
  bool past_close() const;
  const std::string& complaint() const { return complaint_; }

 private:
  void take_line(std::string_view line, const std::set<uint64_t>& own_pushes);
  void take_push(std::string_view line);
  void take_bytes(std::string_view bytes);

  const Script& script_;
  const ServicePlan& service_;
  const size_t client_;
  std::string rest_;                     // of lines: an unterminated one
  size_t next_ = 0;                      // of lines: the step whose reply comes next
  size_t echoed_ = 0;                    // of bytes
  std::map<uint64_t, uint64_t> pushed_;  // the latest push of each client
  std::set<uint64_t> own_seen_;
  std::string complaint_;
};

}  // namespace seeds
