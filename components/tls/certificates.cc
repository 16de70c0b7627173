#include "tls/certificates.h"

#include <openssl/ocsp.h>
#include <openssl/pem.h>

#include <algorithm>
#include <utility>

#include "tls/errors.h"

namespace trireme { inline namespace v0 { namespace tls {
namespace {

Error wrong_file(const std::string& file, const std::string& what) {
  const std::string reason = last_reason();
  return usage("'" + file + "' " + what + (reason.empty() ? "" : ": " + reason));
}

BioPointer bio_of(const std::string& bytes) {
  return BioPointer(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
}

std::string text_of(const ASN1_STRING* string) {
  unsigned char* utf8 = nullptr;
  const int size = ASN1_STRING_to_UTF8(&utf8, string);
  if (size < 0) return {};
  std::string text(reinterpret_cast<const char*>(utf8), static_cast<size_t>(size));
  OPENSSL_free(utf8);
  return text;
}

// DNS names; of a certificate without them the common name, as old ones have it.
std::vector<std::string> names_of(X509& certificate) {
  std::vector<std::string> found;
  const NamesPointer names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_DNS) found.push_back(small_letters(text_of(name->d.dNSName)));
  }
  X509_NAME* const subject = X509_get_subject_name(&certificate);
  const int common = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (names == nullptr && common >= 0) {
    const X509_NAME_ENTRY* const entry = X509_NAME_get_entry(subject, common);
    found.push_back(small_letters(text_of(X509_NAME_ENTRY_get_data(entry))));
  }
  std::sort(found.begin(), found.end());
  return found;
}

Result<Done> read_chain(const std::string& file, const std::string& bytes,
                        LoadedCertificate& into) {
  const BioPointer bio = bio_of(bytes);
  into.certificate.reset(PEM_read_bio_X509_AUX(bio.get(), nullptr, no_passphrase, nullptr));
  if (into.certificate == nullptr) return wrong_file(file, "holds no certificate in PEM");
  while (X509* const next = PEM_read_bio_X509(bio.get(), nullptr, no_passphrase, nullptr)) {
    into.chain.emplace_back(next);
  }
  const std::string damage = damage_behind_pem();
  if (damage.empty()) return Done{};
  return usage("'" + file + "' holds a certificate that cannot be read: " + damage);
}

}  // namespace

std::string small_letters(std::string_view name) {
  std::string small(name);
  for (char& each : small) {
    if (each >= 'A' && each <= 'Z') each = static_cast<char>(each - 'A' + 'a');
  }
  return small;
}

Result<LoadedCertificate> load_certificate(const TlsCertificate& files) {
  forget_errors();
  LoadedCertificate loaded;
  const Result<std::string> bytes = read_file(files.file);
  if (!bytes) return bytes.error();
  const Result<Done> chain = read_chain(files.file, bytes.value(), loaded);
  if (!chain) return chain.error();
  const std::string& key_file = files.key_file.empty() ? files.file : files.key_file;
  Result<std::string> key = read_file(key_file);
  if (!key) return key.error();
  loaded.key.reset(
      PEM_read_bio_PrivateKey(bio_of(key.value()).get(), nullptr, no_passphrase, nullptr));
  forget(key.value());
  if (loaded.key == nullptr)
    return wrong_file(key_file, "holds no key in PEM that needs no passphrase");
  if (X509_check_private_key(loaded.certificate.get(), loaded.key.get()) != 1)
    return wrong_file(key_file, "is not the key of the certificate in '" + files.file + "'");
  loaded.names = names_of(*loaded.certificate);
  if (files.ocsp_file.empty()) return loaded;
  Result<std::string> response = read_file(files.ocsp_file);
  if (!response) return response.error();
  loaded.ocsp = std::move(response.value());
  const auto* der = reinterpret_cast<const unsigned char*>(loaded.ocsp.data());
  OCSP_RESPONSE* const parsed =
      d2i_OCSP_RESPONSE(nullptr, &der, static_cast<long>(loaded.ocsp.size()));  // NOLINT
  if (parsed == nullptr) return wrong_file(files.ocsp_file, "holds no OCSP response in DER");
  OCSP_RESPONSE_free(parsed);
  return loaded;
}

Result<Done> use_certificate(SSL_CTX& context, const LoadedCertificate& loaded,
                             const TlsCertificate& files) {
  forget_errors();
  bool taken = SSL_CTX_use_certificate(&context, loaded.certificate.get()) == 1 &&
               SSL_CTX_use_PrivateKey(&context, loaded.key.get()) == 1;
  for (const CertificatePointer& above : loaded.chain) {
    taken = taken && SSL_CTX_add1_chain_cert(&context, above.get()) == 1;
  }
  if (taken) return Done{};
  return wrong_file(files.file, "cannot be served");
}

}}}  // namespace trireme::tls
