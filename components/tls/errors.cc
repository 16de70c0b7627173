#include "tls/errors.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

namespace trireme { inline namespace v0 { namespace tls {
namespace {

constexpr size_t kFileBytesMax = 1 << 20;
constexpr size_t kKeyBytesMax = 64 << 10;  // up to these bytes nothing is copied

}  // namespace

void forget_errors() { ERR_clear_error(); }

std::string last_reason() {
  const unsigned long code = ERR_peek_error();  // NOLINT: OpenSSL's own type
  if (code == 0) return {};
  if (ERR_SYSTEM_ERROR(code)) return std::strerror(ERR_GET_REASON(code));
  const char* const reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : "error " + std::to_string(code);
}

Error usage(std::string sentence) { return {Error::Code::kUsage, std::move(sentence)}; }

Result<std::string> read_file(const std::string& name) {
  errno = 0;
  std::filebuf file;
  file.pubsetbuf(nullptr, 0);  // no copy of a key is left in it
  const bool is_open = file.open(name, std::ios::in | std::ios::binary) != nullptr;
  std::string bytes;
  bytes.reserve(kKeyBytesMax);
  std::array<char, 4096> piece{};
  std::streamsize size = 0;
  while (is_open && bytes.size() <= kFileBytesMax &&
         (size = file.sgetn(piece.data(), piece.size())) > 0) {
    bytes.append(piece.data(), static_cast<size_t>(size));
  }
  OPENSSL_cleanse(piece.data(), piece.size());
  if (!is_open || errno != 0)
    return usage("cannot read '" + name + "': " + std::strerror(errno != 0 ? errno : EIO));
  if (bytes.size() > kFileBytesMax) return usage("'" + name + "' is larger than 1 MiB");
  return bytes;
}

void forget(std::string& secret) { OPENSSL_cleanse(secret.data(), secret.size()); }

std::string damage_behind_pem() {
  const unsigned long last = ERR_peek_last_error();  // NOLINT: OpenSSL's own type
  if (ERR_GET_LIB(last) == ERR_LIB_PEM && ERR_GET_REASON(last) == PEM_R_NO_START_LINE) {
    forget_errors();
    return {};
  }
  return last_reason().empty() ? "it is damaged" : last_reason();
}

}}}  // namespace trireme::tls
