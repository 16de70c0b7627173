#include "trireme/testing/codec_conformance.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "framing/codec_feed.h"
#include "framing/frame_guard.h"
#include "reply/envelope_maker.h"
#include "runtime/thrown.h"

namespace trireme { inline namespace v0 { namespace testing {
namespace {

class Conformance {
 public:
  Conformance(const Codec& codec, const CodecConformance& how)
      : codec_(codec), how_(how), random_(how.seed) {}

  std::vector<std::string> run();

 private:
  using Names = std::string;  // of a stream: begins every sentence about it

  CodecFeed whole(std::string_view stream, size_t frame_bytes_max);
  void compare(const CodecFeed& feed, const CodecFeed& whole, const std::string& where);
  void cut_everywhere(std::string_view stream, const Names& name);
  void cut_at_random(std::string_view stream, size_t frame_bytes_max, const Names& name);
  void end_everywhere(std::string_view stream, const Names& name);
  void limit(std::string_view stream, const Names& name);
  void garbage();
  void endless();
  void envelopes();
  [[nodiscard]] bool frame(std::string_view body, const Names& name, std::string& framed);
  void answer(std::string_view body, const Names& name);
  void failures();
  std::string mutant(std::string_view stream);
  bool is_enough() const { return findings_.size() >= how_.findings_max; }
  void say(std::string sentence);

  const Codec& codec_;
  const CodecConformance& how_;
  Random random_;
  std::vector<std::string> findings_;
};

void Conformance::say(std::string sentence) {
  const bool is_new = std::find(findings_.begin(), findings_.end(), sentence) == findings_.end();
  if (is_new && !is_enough()) findings_.push_back(std::move(sentence));
}

CodecFeed Conformance::whole(std::string_view stream, size_t frame_bytes_max) {
  CodecFeed feed(codec_, frame_bytes_max);
  feed.take(stream, false);
  feed.take({}, true);
  return feed;
}

void Conformance::compare(const CodecFeed& feed, const CodecFeed& whole, const std::string& where) {
  if (!feed.mistake().empty()) return say(where + ": " + feed.mistake());
  if (!how_.requests_are_whole || feed.frames() == whole.frames()) return;
  say(where + ": its frames are not those of the whole stream; these are they:\n" + feed.frames() +
      "of the whole stream:\n" + whole.frames());
}

// Byte by byte, in two pieces at every byte, and with the end known while bytes are waiting.
void Conformance::cut_everywhere(std::string_view stream, const Names& name) {
  const CodecFeed all = whole(stream, how_.frame_bytes_max);
  compare(all, all, name);
  CodecFeed bytewise(codec_, how_.frame_bytes_max);
  for (const char& byte : stream) bytewise.take({&byte, 1}, false);
  bytewise.take({}, true);
  compare(bytewise, all, name + " byte by byte");
  for (size_t at = 0; at <= stream.size() && !is_enough(); ++at) {
    CodecFeed feed(codec_, how_.frame_bytes_max);
    feed.take(stream.substr(0, at), false);
    feed.take(stream.substr(at), true);
    compare(feed, all, name + " cut at byte " + std::to_string(at));
  }
  CodecFeed batches(codec_, how_.frame_bytes_max, &random_);
  batches.take(stream, false);
  batches.take({}, true);
  compare(batches, all, name + " by decode_requests()");
}

void Conformance::cut_at_random(std::string_view stream, size_t frame_bytes_max,
                                const Names& name) {
  const CodecFeed all = whole(stream, frame_bytes_max);
  CodecFeed feed(codec_, frame_bytes_max, random_.chance(1, 2) ? &random_ : nullptr);
  for (std::string_view rest = stream; !rest.empty();) {
    const size_t piece = std::min<size_t>(rest.size(), 1 + random_.below(9));
    feed.take(rest.substr(0, piece), piece == rest.size() && random_.chance(1, 2));
    rest.remove_prefix(piece);
  }
  feed.take({}, true);
  compare(feed, all, name);
}

// A client may hang up anywhere.
void Conformance::end_everywhere(std::string_view stream, const Names& name) {
  for (size_t at = 0; at <= stream.size() && !is_enough(); ++at) {
    CodecFeed feed(codec_, how_.frame_bytes_max);
    feed.take(stream.substr(0, at), true);
    const std::string where = name + " ended after " + std::to_string(at) + " bytes";
    compare(feed, whole(stream.substr(0, at), how_.frame_bytes_max), where);
    if (feed.mistake().empty() && !feed.is_over()) say(where + ": it does not end");
  }
}

// Around the lengths of the requests that are there.
void Conformance::limit(std::string_view stream, const Names& name) {
  const CodecFeed all = whole(stream, how_.frame_bytes_max);
  std::vector<size_t> limits{1, 2, 3, 7};
  for (const std::string& request : all.requests()) {
    for (const size_t near : {request.size() - 1, request.size(), request.size() + 1}) {
      if (near > 0 && near <= how_.frame_bytes_max) limits.push_back(near);
    }
  }
  std::sort(limits.begin(), limits.end());
  limits.erase(std::unique(limits.begin(), limits.end()), limits.end());
  for (const size_t most : limits) {
    cut_at_random(stream, most, name + " with frame_bytes_max " + std::to_string(most));
  }
}

std::string Conformance::mutant(std::string_view stream) {
  std::string text(stream);
  for (uint64_t changes = 1 + random_.below(3); changes > 0; --changes) {
    const size_t at = random_.below(text.size() + 1);
    const auto byte = static_cast<char>(random_.below(256));
    if (random_.chance(1, 3))
      text.insert(at, 1, byte);
    else if (random_.chance(1, 2))
      text.erase(at, 1 + random_.below(3));
    else if (at < text.size())
      text[at] = byte;
  }
  return text;
}

void Conformance::garbage() {
  for (size_t i = 0; i < how_.garbage && !is_enough(); ++i) {
    std::string bytes(random_.below(64), ' ');
    for (char& byte : bytes) byte = static_cast<char>(random_.below(256));
    const std::string of = "garbage " + std::to_string(i);
    cut_at_random(bytes, 1 + random_.below(32), of);
    for (size_t k = 0; k < how_.streams.size() && !is_enough(); ++k) {
      const std::string text = mutant(how_.streams[k]);
      cut_at_random(text, how_.frame_bytes_max, "mutant of stream " + std::to_string(k));
    }
  }
}

// A frame without an end must be refused before it was gathered.
void Conformance::endless() {
  constexpr size_t kLimit = 16, kPiece = 4 << 10;
  for (const char byte : {'a', '\0', '\x7f', '\xff'}) {
    CodecFeed feed(codec_, kLimit);
    for (size_t sent = 0; sent <= frame_bytes_limit(kLimit) && !feed.is_over(); sent += kPiece) {
      feed.take(std::string(kPiece, byte), false);
    }
    if (!feed.mistake().empty()) say("a byte again and again, without end: " + feed.mistake());
  }
}

// What goes around a body. False: the codec has made a mistake.
bool Conformance::frame(std::string_view body, const Names& name, std::string& framed) {
  Envelope around;
  EncodedReply encoded;
  try {
    if (codec_.has_encoder()) {
      codec_.encode({.body = body, .body_bytes = body.size()}, encoded);
    } else {
      around = codec_.envelope(body.size());
    }
  } catch (...) {
    say(name + (codec_.has_encoder() ? ": encode() threw: " : ": envelope() threw: ") +
        describe_thrown());
    return false;
  }
  if (around.head_bytes > around.head.size() || around.tail_bytes > around.tail.size()) {
    say(name + ": its envelope is overfilled");
    return false;
  }
  if (encoded.head.size() > EncodedReply::kHeadBytesMax ||
      encoded.tail.size() > EncodedReply::kTailBytesMax) {
    say(name + ": what it has encoded is overfilled");
    return false;
  }
  framed.assign(around.head.data(), around.head_bytes).append(encoded.head);
  if (!encoded.drops_body) framed.append(body);
  framed.append(around.tail.data(), around.tail_bytes).append(encoded.tail);
  return true;
}

// What goes around an answer must make a request of it again.
void Conformance::answer(std::string_view body, const Names& name) {
  std::string framed;
  if (!frame(body, name, framed) || !how_.answers_are_requests) return;
  const CodecFeed decoded = whole(framed, std::max(body.size(), how_.frame_bytes_max));
  std::string joined;
  for (const std::string& request : decoded.requests()) joined += request;
  const bool is_one = decoded.requests().size() == 1 || !how_.requests_are_whole;
  if (!decoded.mistake().empty()) return say(name + ": decoded again: " + decoded.mistake());
  if (!is_one || joined != body) say(name + ": framed as an answer and decoded, it is another");
}

// As the recipe says, envelope() must say, too.
void Conformance::envelopes() {
  try {
    EnvelopeRecipe recipe;
    if (codec_.has_encoder() || !codec_.envelope_recipe(recipe)) return;
    const EnvelopeMaker maker(codec_);
    for (const size_t bytes : {0u, 1u, 100u, 255u, 256u, 70'000u}) {
      if (bytes < recipe.body_bytes_min || bytes > recipe.body_bytes_max) continue;
      const Envelope asked = codec_.envelope(bytes);
      std::array<char, EnvelopeMaker::kHeadRoom> head{};
      const Envelope* const around =
          maker.knows(bytes) ? &maker.put_head(bytes, head.data()) : nullptr;
      const bool is_same =
          around != nullptr && around->head_bytes == asked.head_bytes &&
          around->tail == asked.tail && around->tail_bytes == asked.tail_bytes &&
          std::equal(asked.head.begin(), asked.head.begin() + asked.head_bytes, head.begin());
      if (is_same) continue;
      say(recipe.length_bytes == 0 ? "has_fixed_envelope(), and the envelope depends on the size"
                                   : "envelope_recipe(), and the envelope is another");
    }
  } catch (...) {
    say("envelope_recipe() or envelope() threw: " + describe_thrown());
  }
}

void Conformance::failures() {
  for (const std::string& sentence : {std::string("it broke"), std::string(300, 'x')}) {
    for (const Failure failure :
         {Failure::kHandler, Failure::kInternal, Failure::kDeadline, Failure::kBusy,
          Failure::kRefused, Failure::kTooLong, Failure::kTimeout}) {
      ErrorReply reply;
      try {
        reply = codec_.error_reply({.failure = failure, .sentence = sentence});
      } catch (...) {
        return say("error_reply() threw: " + describe_thrown());
      }
      if (!reply.body.empty() && !reply.is_framed) answer(reply.body, "its error reply");
    }
  }
  try {
    for (int reason = 0; reason < kCloseReasonCount; ++reason)
      codec_.last_words(static_cast<CloseReason>(reason));
  } catch (...) {
    say("last_words() threw: " + describe_thrown());
  }
}

std::vector<std::string> Conformance::run() {
  for (size_t i = 0; i < how_.streams.size(); ++i) {
    const std::string& stream = how_.streams[i];
    const std::string name = "stream " + std::to_string(i);
    cut_everywhere(stream, name);
    end_everywhere(stream, name);
    limit(stream, name);
    const CodecFeed all = whole(stream, how_.frame_bytes_max);
    for (const std::string& request : all.requests()) {
      if (!request.empty()) answer(request, "a request of " + name);
    }
  }
  garbage();
  endless();
  envelopes();
  failures();
  return std::move(findings_);
}

}  // namespace

std::vector<std::string> codec_conformance(const Codec& codec, const CodecConformance& how) {
  return Conformance(codec, how).run();
}

}}}  // namespace trireme::testing
