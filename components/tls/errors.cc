#include "tls/errors.h"

#include <openssl/err.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

namespace trireme { inline namespace v0 { namespace tls {
namespace {

constexpr size_t kFileBytesMax = 1 << 20;

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
  std::ifstream file(name, std::ios::binary);
  std::string bytes;
  if (file) bytes.assign(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  if (!file || file.bad()) {
    return usage("cannot read '" + name + "': " + std::strerror(errno != 0 ? errno : EIO));
  }
  if (bytes.size() > kFileBytesMax) return usage("'" + name + "' is larger than 1 MiB");
  return bytes;
}

}}}  // namespace trireme::tls
