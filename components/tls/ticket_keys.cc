#include "tls/ticket_keys.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <utility>

#include "tls/errors.h"

namespace trireme { inline namespace v0 { namespace tls {
namespace {

constexpr size_t kLarge = 80;
constexpr size_t kSmall = 48;
constexpr size_t kKeysMax = 64;

TicketKey key_of(std::string_view bytes) {
  TicketKey key;
  key.bytes = bytes.size() == kSmall ? 16 : 32;
  std::memcpy(key.name.data(), bytes.data(), key.name.size());
  std::memcpy(key.mac.data(), bytes.data() + key.name.size(), key.bytes);
  std::memcpy(key.cipher.data(), bytes.data() + key.name.size() + key.bytes, key.bytes);
  return key;
}

// Empty: it is no base64.
std::string from_base64(std::string_view text) {
  std::string bytes(text.size() / 4 * 3 + 3, '\0');
  const int size = text.empty() || text.size() % 4 != 0
                       ? -1
                       : EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                         reinterpret_cast<const unsigned char*>(text.data()),
                                         static_cast<int>(text.size()));
  if (size < 0) return {};
  const size_t padding = static_cast<size_t>(std::count(text.end() - 2, text.end(), '='));
  bytes.resize(static_cast<size_t>(size) - padding);
  return bytes;
}

Error wrong_keys(const std::string& file) {
  return usage("'" + file +
               "' holds no ticket keys: expected keys of 80 bytes, one of 48, or the same in "
               "base64, a line each");
}

}  // namespace

TicketKey::~TicketKey() {
  OPENSSL_cleanse(mac.data(), mac.size());
  OPENSSL_cleanse(cipher.data(), cipher.size());
}

Result<std::vector<TicketKey>> parse_ticket_keys(const std::string& file, std::string_view bytes) {
  std::vector<TicketKey> keys;
  if (bytes.size() == kSmall || (!bytes.empty() && bytes.size() % kLarge == 0)) {
    const size_t each = bytes.size() == kSmall ? kSmall : kLarge;
    for (; !bytes.empty(); bytes.remove_prefix(each)) keys.push_back(key_of(bytes.substr(0, each)));
  } else {
    while (!bytes.empty()) {
      const size_t end = std::min(bytes.find('\n'), bytes.size());
      std::string_view line = bytes.substr(0, end);
      bytes.remove_prefix(std::min(end + 1, bytes.size()));
      if (line.ends_with('\r')) line.remove_suffix(1);
      if (line.empty()) continue;
      std::string key = from_base64(line);
      if (key.size() != kLarge && key.size() != kSmall) return wrong_keys(file);
      keys.push_back(key_of(key));
      OPENSSL_cleanse(key.data(), key.size());
    }
  }
  if (keys.empty() || keys.size() > kKeysMax) return wrong_keys(file);
  return keys;
}

void TicketKeys::use(std::vector<TicketKey> keys, uint64_t load) {
  MutexLock lock(mutex_);
  if (load < load_) return;
  load_ = load;
  keys_ = std::move(keys);
  is_own_ = false;
}

std::optional<TicketKey> TicketKeys::current() {
  MutexLock lock(mutex_);
  if (is_own_ && !renew()) return {};
  return keys_.front();
}

std::optional<TicketKey> TicketKeys::find(const unsigned char* name, bool& is_current) {
  MutexLock lock(mutex_);
  if (is_own_ && !renew()) return {};
  for (const TicketKey& key : keys_) {
    if (std::memcmp(key.name.data(), name, key.name.size()) != 0) continue;
    is_current = &key == &keys_.front();
    return key;
  }
  return {};
}

// Two are kept: a ticket is good for as long as the key before it is. A clock that is set back
// makes a new one, too.
bool TicketKeys::renew() {
  const int64_t now = std::time(nullptr);
  const bool is_young = now >= made_at_ && now < made_at_ + time_max_.count();
  if (!keys_.empty() && is_young) return true;
  TicketKey key;
  const bool is_random =
      RAND_bytes(key.name.data(), static_cast<int>(key.name.size())) == 1 &&
      RAND_priv_bytes(key.mac.data(), static_cast<int>(key.mac.size())) == 1 &&
      RAND_priv_bytes(key.cipher.data(), static_cast<int>(key.cipher.size())) == 1;
  if (!is_random) return !keys_.empty();
  if (now >= made_at_ + 2 * time_max_.count()) keys_.clear();
  keys_.insert(keys_.begin(), key);
  if (keys_.size() > 2) keys_.pop_back();
  made_at_ = now;
  return true;
}

}}}  // namespace trireme::tls
