// Certificates of tests, made when they are asked for: an authority, and what it has signed.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <string>

namespace support {

// One key pair with its certificate.
class Identity {
 public:
  // Signed by `authority`; null: by itself, as an authority. `names`: as in "DNS:a.test"; may be
  // empty. `lasts`: from now on; negative: it has expired.
  Identity(const std::string& common_name, const std::string& names, const Identity* authority,
           const char* curve = "P-256", std::chrono::seconds lasts = std::chrono::hours(720))
      : key_(curve[0] == 'R' ? EVP_RSA_gen(2048) : EVP_EC_gen(curve), EVP_PKEY_free),
        certificate_(X509_new(), X509_free) {
    X509* const made = certificate_.get();
    X509_set_version(made, 2);
    static long serial = 1;  // NOLINT: OpenSSL's own type
    ASN1_INTEGER_set(X509_get_serialNumber(made), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(made), -40L * 86'400);
    X509_gmtime_adj(X509_getm_notAfter(made), lasts.count());
    X509_set_pubkey(made, key_.get());
    X509_NAME_add_entry_by_txt(X509_get_subject_name(made), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1,
                               0);
    const Identity& signer = authority != nullptr ? *authority : *this;
    X509_set_issuer_name(made, X509_get_subject_name(signer.certificate_.get()));
    extend(NID_basic_constraints, authority == nullptr ? "critical,CA:TRUE" : "critical,CA:FALSE");
    if (!names.empty()) extend(NID_subject_alt_name, names.c_str());
    X509_sign(made, signer.key_.get(), EVP_sha256());
  }

  EVP_PKEY* key() const { return key_.get(); }
  X509* certificate() const { return certificate_.get(); }
  // In PEM. The name of the file, in `folder`.
  std::string write_certificate(const std::string& folder, const std::string& name) const {
    return write(folder, name, [this](FILE* file) { PEM_write_X509(file, certificate_.get()); });
  }
  std::string write_key(const std::string& folder, const std::string& name) const {
    return write(folder, name, [this](FILE* file) {
      PEM_write_PrivateKey(file, key_.get(), nullptr, nullptr, 0, nullptr, nullptr);
    });
  }

 private:
  void extend(int what, const char* value) {
    X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, nullptr, what, value);
    X509_add_ext(certificate_.get(), extension, -1);
    X509_EXTENSION_free(extension);
  }
  template <class F>
  static std::string write(const std::string& folder, const std::string& name, F print) {
    const std::string path = folder + "/" + name;
    FILE* const file = std::fopen(path.c_str(), "w");
    if (file == nullptr) return {};
    print(file);
    std::fclose(file);
    return path;
  }

  std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key_;
  std::unique_ptr<X509, void (*)(X509*)> certificate_;
};

}  // namespace support
