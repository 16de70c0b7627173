// The floor of TLS: one thread, one epoll set and OpenSSL on the socket, as a careful engineer
// writes it by hand. Every byte goes back. Full handshakes, and resumption by tickets; handshakes
// hold up everybody else, for there is only one thread.
//
//   floor_tls PORT CERTIFICATE KEY   PORT 0 takes a free one; files in PEM; SIGTERM ends.
//
// Level-triggered. OpenSSL reads ahead, so a record costs one recv, and gives its buffers back when
// they are empty. What the socket does not take is kept, and then only EPOLLOUT is watched: that is
// the back-pressure.
#include "listener.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/epoll.h>

enum { kReadBytes = 16 * 1024, kEventsMax = 512 };

struct connection {
  SSL* ssl;
  int fd;
  uint32_t rest_bytes;  // of replies not yet sent; more than 0 only while EPOLLOUT is watched
  uint32_t rest_sent;   // of rest_bytes
  bool awaits_writing;
  char* rest;
};

static int epoll_fd;
static SSL_CTX* context;
static char input[kReadBytes];

static void watch(struct connection* connection, int operation, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = connection};
  if (epoll_ctl(epoll_fd, operation, connection->fd, &event) != 0) die("floor_tls: epoll_ctl");
  connection->awaits_writing = events == EPOLLOUT;
}

static void close_connection(struct connection* connection) {
  ERR_clear_error();
  SSL_free(connection->ssl);
  close(connection->fd);
  free(connection->rest);
  free(connection);
}

// What an error leads to. False: the connection is broken, or has ended, and is closed now.
static bool await(struct connection* connection, int result) {
  switch (SSL_get_error(connection->ssl, result)) {
    case SSL_ERROR_WANT_READ:
      if (connection->awaits_writing) watch(connection, EPOLL_CTL_MOD, EPOLLIN);
      return true;
    case SSL_ERROR_WANT_WRITE:
      if (!connection->awaits_writing) watch(connection, EPOLL_CTL_MOD, EPOLLOUT);
      return true;
    case SSL_ERROR_ZERO_RETURN:
      SSL_shutdown(connection->ssl);  // their close_notify was read; ours leaves
      break;
    default:
      break;
  }
  close_connection(connection);
  return false;
}

// False: what is left waits for the socket, or the connection is closed.
static bool send_reply(struct connection* connection, const char* bytes, size_t size) {
  while (size > 0) {
    size_t sent = 0;
    const int result = SSL_write_ex(connection->ssl, bytes, size, &sent);
    bytes += sent;
    size -= sent;
    if (result == 1) continue;
    if (!await(connection, result)) return false;
    connection->rest = allocate(size);
    connection->rest_bytes = (uint32_t)size;
    connection->rest_sent = 0;
    memcpy(connection->rest, bytes, size);
    return false;
  }
  return true;
}

static void answer(struct connection* connection) {
  do {
    size_t size = 0;
    const int result = SSL_read_ex(connection->ssl, input, sizeof input, &size);
    if (result != 1) {
      await(connection, result);
      return;
    }
    if (!send_reply(connection, input, size)) return;
  } while (SSL_has_pending(connection->ssl) == 1);
}

static void send_rest(struct connection* connection) {
  while (connection->rest_sent < connection->rest_bytes) {
    size_t sent = 0;
    const int result = SSL_write_ex(connection->ssl, connection->rest + connection->rest_sent,
                                    connection->rest_bytes - connection->rest_sent, &sent);
    connection->rest_sent += (uint32_t)sent;
    if (result != 1) {
      await(connection, result);
      return;
    }
  }
  free(connection->rest);
  connection->rest = NULL;
  connection->rest_bytes = 0;
  watch(connection, EPOLL_CTL_MOD, EPOLLIN);
  if (SSL_has_pending(connection->ssl) == 1) answer(connection);
}

static void serve(struct connection* connection) {
  ERR_clear_error();
  if (!SSL_is_init_finished(connection->ssl)) {
    const int result = SSL_do_handshake(connection->ssl);
    if (result != 1) {
      await(connection, result);
      return;
    }
    if (connection->awaits_writing) watch(connection, EPOLL_CTL_MOD, EPOLLIN);
    if (SSL_has_pending(connection->ssl) == 1) answer(connection);
  } else if (connection->rest_bytes > 0) {
    send_rest(connection);
  } else {
    answer(connection);
  }
}

static void accept_connections(int listen_fd) {
  for (;;) {
    const int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      // Out of descriptors, a figure would be worth nothing: better to end than to spin.
      if (errno == EMFILE || errno == ENFILE) die("floor_tls: accept4");
      if (errno == EAGAIN) return;
      continue;  // this client left before we came
    }
    set_no_delay(fd);
    struct connection* connection = allocate(sizeof *connection);
    *connection = (struct connection){.fd = fd, .ssl = SSL_new(context)};
    if (connection->ssl == NULL || SSL_set_fd(connection->ssl, fd) != 1) die("floor_tls: SSL_new");
    SSL_set_accept_state(connection->ssl);
    watch(connection, EPOLL_CTL_ADD, EPOLLIN);
  }
}

// As the component tls sets it, so that both do the same work.
static bool prepare_context(const char* certificate, const char* key) {
  context = SSL_CTX_new(TLS_server_method());
  if (context == NULL) return false;
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_session_id_context(context, (const unsigned char*)"floor", 5);
  return SSL_CTX_set1_groups_list(context, "X25519:P-256:P-384") == 1 &&
         SSL_CTX_use_certificate_chain_file(context, certificate) == 1 &&
         SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) == 1;
}

int main(int argc, char** argv) {
  char* number_end = NULL;
  const long port = argc == 4 ? strtol(argv[1], &number_end, 10) : -1;
  if (port < 0 || port > 65535 || *number_end != '\0') {
    fprintf(stderr, "usage: floor_tls PORT CERTIFICATE KEY\n");
    return 2;
  }
  prepare_process();
  if (!prepare_context(argv[2], argv[3])) {
    ERR_print_errors_fp(stderr);
    return 1;
  }
  epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_fd < 0) die("floor_tls: epoll_create1");
  uint16_t bound = (uint16_t)port;
  const int listen_fd = open_listener(&bound, false);
  printf("listening on tls://127.0.0.1:%u\n", bound);
  fflush(stdout);
  struct epoll_event listening = {.events = EPOLLIN, .data.ptr = NULL};  // NULL: the listener
  if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listen_fd, &listening) != 0) die("floor_tls: epoll_ctl");

  struct epoll_event events[kEventsMax];
  for (;;) {
    const int count = epoll_wait(epoll_fd, events, kEventsMax, -1);
    for (int i = 0; i < count; ++i) {  // a batch names a connection once: freeing it is safe
      struct connection* connection = events[i].data.ptr;
      if (connection == NULL) {
        accept_connections(listen_fd);
      } else {
        serve(connection);
      }
    }
  }
}
