#include "tls/buffer_bio.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace trireme { inline namespace v0 { namespace tls {
namespace {

BioBuffers& buffers_of(BIO* bio) { return *static_cast<BioBuffers*>(BIO_get_data(bio)); }

int read_some(BIO* bio, char* into, size_t size, size_t* done) {
  BIO_clear_retry_flags(bio);
  BioBuffers& buffers = buffers_of(bio);
  *done = std::min(size, buffers.in.size());
  if (*done == 0) {
    BIO_set_retry_read(bio);
    return 0;
  }
  std::memcpy(into, buffers.in.data(), *done);
  buffers.in.remove_prefix(*done);
  return 1;
}

int write_all(BIO* bio, const char* bytes, size_t size, size_t* done) {
  BIO_clear_retry_flags(bio);
  BioBuffers& buffers = buffers_of(bio);
  *done = 0;
  if (buffers.out == nullptr) return 0;
  try {
    buffers.out->append(bytes, size);
  } catch (const std::bad_alloc&) {  // through frames of C nothing may be thrown
    return 0;
  }
  *done = size;
  return 1;
}

long control(BIO*, int command, long, void*) {  // NOLINT: OpenSSL's own type
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

int create(BIO* bio) {
  BIO_set_init(bio, 1);
  return 1;
}

// Made once, and kept until the process ends.
const BIO_METHOD* method() {
  static const BIO_METHOD* const kMethod = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "trireme");
    if (made == nullptr) return made;
    BIO_meth_set_read_ex(made, read_some);
    BIO_meth_set_write_ex(made, write_all);
    BIO_meth_set_ctrl(made, control);
    BIO_meth_set_create(made, create);
    return made;
  }();
  return kMethod;
}

}  // namespace

BIO* make_buffer_bio(BioBuffers& buffers) {
  const BIO_METHOD* const how = method();
  BIO* const bio = how == nullptr ? nullptr : BIO_new(how);
  if (bio != nullptr) BIO_set_data(bio, &buffers);
  return bio;
}

SslOwner& owner_of(const SSL* ssl) { return buffers_of(SSL_get_rbio(ssl)).owner; }

}}}  // namespace trireme::tls
