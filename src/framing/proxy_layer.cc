#include "framing/proxy_layer.h"

#include <algorithm>
#include <utility>

namespace trireme { inline namespace v0 {

LayerState ProxyLayer::receive(std::string_view& bytes, bool ended, LayerOutput& out) {
  const size_t had = begun_.size();
  ProxyHeader header;
  ProxyParse found;
  if (had == 0) {
    found = parse_proxy_header(bytes, header);
  } else {
    begun_.append(bytes.substr(0, ProxyHeader::kBytesMax - had));
    found = parse_proxy_header(begun_, header);
  }
  switch (found.kind) {
    case ProxyParse::Kind::kHeader:
      bytes.remove_prefix(found.bytes - had);
      tell(header, out);
      return LayerState::kTransparent;
    case ProxyParse::Kind::kInvalid:
      mistake_ = found.mistake;
      return LayerState::kFailed;
    case ProxyParse::Kind::kIncomplete:
      break;
  }
  if (ended) {
    mistake_ = "the stream ends within it";
    return LayerState::kFailed;
  }
  // One that is not whole is shorter than kBytesMax, or it would be invalid.
  if (had == 0) begun_ = bytes;
  bytes = {};
  return LayerState::kShaking;
}

void ProxyLayer::tell(ProxyHeader& header, LayerOutput& out) const {
  out.facts.add("proxy.version", std::to_string(header.version));
  out.facts.add("proxy.from", sender_);
  if (header.tells_peer) {
    out.address = header.source;
    out.facts.add("proxy.source", describe(header.source));
    out.facts.add("proxy.destination", describe(header.destination));
  }
  for (const LayerFact& fact : header.facts.all()) out.facts.add(fact.name, fact.value);
}

std::string ProxyLayer::failure() const {
  return std::string("its PROXY header is not valid: ") + mistake_;
}

}}  // namespace trireme
