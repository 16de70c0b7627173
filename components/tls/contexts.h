// What all connections of a listener share at a time: a context of OpenSSL for each certificate,
// and which name leads to which. Immutable; a reload makes another one.
//
// Thread: any.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tls/openssl_types.h"
#include "trireme/result.h"
#include "trireme/tls.h"

namespace trireme { inline namespace v0 { namespace tls {

class Contexts {
 public:
  // The sentence says what is wrong with which option or file.
  static Result<std::shared_ptr<const Contexts>> make(const TlsOptions& options);

  Contexts() = default;
  Contexts(const Contexts&) = delete;
  Contexts& operator=(const Contexts&) = delete;

  // A connection begins with it.
  SSL_CTX* first() const { return all_.front()->context.get(); }

 private:
  struct One {
    ContextPointer context;
    std::vector<std::string> names;
    std::string session_id;  // sessions of it resume with it alone
    std::string ocsp;
  };

  Result<Done> add(const TlsCertificate& files, const TlsOptions& options,
                   std::string_view authorities);
  Result<Done> set_up(One& one, const TlsOptions& options, std::string_view authorities) const;
  void set_callbacks(One& one, const TlsOptions& options);
  const One* find(std::string_view name) const;

  static int on_hello(SSL* ssl, int* alert, void* contexts);
  static int on_name(SSL* ssl, int* alert, void*);
  static int on_protocols(SSL* ssl, const unsigned char** out, unsigned char* out_bytes,
                          const unsigned char* in, unsigned in_bytes, void* contexts);
  static int on_status(SSL* ssl, void* one);

  std::vector<std::unique_ptr<One>> all_;
  std::map<std::string, const One*, std::less<>> by_name_;  // wildcards by what is behind the '*'
  std::string protocols_;                                   // as the extension has them
  bool refuses_unknown_ = false;
};

}}}  // namespace trireme::tls
