#include "load/framing.h"

#include <algorithm>
#include <charconv>
#include <random>

#include "trireme/codecs.h"

namespace load {
namespace {

constexpr std::string_view kFixed = "fixed:";
constexpr std::string_view kLengthPrefix = "length-prefix:";
// Framed messages are made once and kept: this bounds the memory of a load.
constexpr uint64_t kFramedBytesMax = 4 << 20;
constexpr uint64_t kPeriod = 65521;  // the largest prime below 64 KiB

bool read_number(std::string_view text, uint64_t& number) {
  const char* const end = text.data() + text.size();
  const auto [stop, problem] = std::from_chars(text.data(), end, number);
  return problem == std::errc() && stop == end;
}

// Random bytes that the codec carries.
char byte_for(const Framing& framing, uint64_t random) {
  if (framing.kind != Framing::Kind::kLines) return static_cast<char>(random);
  constexpr std::string_view kLetters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-";
  return kLetters[random % kLetters.size()];
}

}  // namespace

tr::Result<Framing> parse_framing(std::string_view text) {
  if (text == "bytes") return Framing{Framing::Kind::kBytes};
  if (text == "lines") return Framing{Framing::Kind::kLines};
  uint64_t number = 0;
  if (text.starts_with(kFixed) && read_number(text.substr(kFixed.size()), number) && number > 0 &&
      number <= kMessageBytesMax) {
    return Framing{Framing::Kind::kFixed, number};
  }
  if (text.starts_with(kLengthPrefix) && read_number(text.substr(kLengthPrefix.size()), number) &&
      (number == 1 || number == 2 || number == 4 || number == 8)) {
    return Framing{Framing::Kind::kLengthPrefix, number};
  }
  return tr::Error{tr::Error::Code::kUsage,
                   "expected bytes, lines, fixed:N (N from 1 to 1073741824) or length-prefix:WIDTH "
                   "(WIDTH 1, 2, 4 or 8), "
                   "got \"" +
                       std::string(text) + "\""};
}

std::string name_of(const Framing& framing) {
  switch (framing.kind) {
    case Framing::Kind::kBytes:
      return "bytes";
    case Framing::Kind::kLines:
      return "lines";
    case Framing::Kind::kFixed:
      return std::string(kFixed) + std::to_string(framing.number);
    case Framing::Kind::kLengthPrefix:
      return std::string(kLengthPrefix) + std::to_string(framing.number);
  }
  return {};
}

tr::Envelope envelope_of(const Framing& framing, uint64_t body_bytes) {
  if (framing.kind == Framing::Kind::kLines) return tr::lines()->envelope(body_bytes);
  if (framing.kind != Framing::Kind::kLengthPrefix) return tr::bytes()->envelope(body_bytes);
  return tr::length_prefix({.width = static_cast<uint8_t>(framing.number)})->envelope(body_bytes);
}

std::string refusal_of(const Framing& framing, uint64_t body_bytes) {
  if (framing.kind == Framing::Kind::kBytes || framing.kind == Framing::Kind::kFixed) return {};
  if (body_bytes > kFramedBytesMax) return "a message of this codec has at most 4MiB";
  if (framing.kind == Framing::Kind::kLengthPrefix && framing.number < 8 &&
      body_bytes >= uint64_t{1} << (8 * framing.number)) {
    return "a message of " + std::to_string(body_bytes) + " bytes does not fit a length of " +
           std::to_string(framing.number) + (framing.number == 1 ? " byte" : " bytes");
  }
  return {};
}

Stream make_stream(const Framing& framing, uint64_t body_bytes, uint64_t more) {
  const tr::Envelope envelope = envelope_of(framing, body_bytes);
  Stream stream;
  stream.message_bytes = envelope.head_bytes + body_bytes + envelope.tail_bytes;
  std::mt19937_64 random(1);
  if (stream.message_bytes == body_bytes) {
    stream.period = kPeriod;
    stream.apart = 7919;
    for (uint64_t i = 0; i < kPeriod; ++i) stream.bytes += byte_for(framing, random());
  } else {
    const uint64_t messages = std::max<uint64_t>(kPeriod / stream.message_bytes, 17);
    stream.period = messages * stream.message_bytes;
    stream.apart = stream.message_bytes;
    stream.bytes.reserve(stream.period + more);
    for (uint64_t i = 0; i < messages; ++i) {
      stream.bytes.append(envelope.head.data(), envelope.head_bytes);
      for (uint64_t k = 0; k < body_bytes; ++k) stream.bytes += byte_for(framing, random());
      stream.bytes.append(envelope.tail.data(), envelope.tail_bytes);
    }
  }
  stream.bytes.resize(stream.period + more);
  for (uint64_t i = stream.period; i < stream.bytes.size(); ++i) {
    stream.bytes[i] = stream.bytes[i - stream.period];
  }
  return stream;
}

}  // namespace load
