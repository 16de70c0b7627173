// The floor of an engine that completes: the same services as floor/epoll.c, by io_uring. One
// thread.
//
//   floor_uring echo|lines PORT        PORT 0 takes a free one; SIGTERM ends.
//
// One multishot accept, one multishot receive a connection, all into one ring of provided buffers;
// one system call a turn submits what the turn before has queued and waits. A reply is sent with
// MSG_DONTWAIT, so that it completes within its submission: what it was sent from (the receive
// buffer for echo, the arena for lines) is free again in the next turn. What does not fit into the
// socket is copied, its receive is cancelled, and one waiting send takes the copy along: while that
// lasts nothing is read. That is the back-pressure, and why a half-close needs no state of its own.
//
// One send a connection is in flight: several could overtake one another. Pieces that come
// meanwhile wait in a short queue, which keeps their buffers; what exceeds it is copied to the
// rest.
#include "lines.h"
#include "listener.h"

#include <liburing.h>

enum {
  kEntries = 4096,
  kCompletions = 32768,
  kBufferBytes = 16 * 1024,
  kBuffers = 1024,  // a power of two
  kPiecesMax = 4,
  kArenaBytes = 4 * 1024 * 1024,
  kNoBuffer = -1,  // the piece lies in the arena
};

enum tag { kReceive, kSend, kCancel, kTagMask };  // in the low bits of the address of a connection
enum { kAccept = kTagMask };                      // no address at all

struct piece {
  const char* bytes;
  uint32_t size;
  int32_t buffer;
};

struct connection {
  int fd;
  bool receiving;   // a multishot receive is armed
  bool cancelling;  // ... and shall end
  bool sending;
  bool ended;   // the client sends no more: close when all replies are out
  bool broken;  // close when nothing is in flight
  uint8_t pieces_count;
  uint32_t partial_bytes;
  uint32_t rest_bytes;
  uint32_t rest_in_flight;  // of rest_bytes; with it the send in flight is that of the rest
  struct piece pieces[kPiecesMax];
  char* rest;
  char* partial;
};

static struct io_uring ring;
static struct io_uring_buf_ring* buffer_ring;
static char* buffers;
static bool lines;
static char* arena;
static size_t arena_used;
static size_t arena_pieces;  // not yet sent
static char line_input[kLineMax + kBufferBytes];

static struct io_uring_sqe* next_entry(void* user_data) {
  struct io_uring_sqe* entry = io_uring_get_sqe(&ring);
  if (entry == NULL) {
    io_uring_submit(&ring);
    entry = io_uring_get_sqe(&ring);
    if (entry == NULL) die("floor_uring: no entry");
  }
  io_uring_sqe_set_data(entry, user_data);
  return entry;
}

static void* tagged(struct connection* connection, enum tag tag) { return (char*)connection + tag; }

static void start_accept(int listen_fd) {
  struct io_uring_sqe* entry = next_entry(NULL);
  io_uring_prep_multishot_accept(entry, listen_fd, NULL, NULL, SOCK_CLOEXEC);
  io_uring_sqe_set_data64(entry, kAccept);
}

static void start_receive(struct connection* connection) {
  struct io_uring_sqe* entry = next_entry(NULL);
  io_uring_prep_recv_multishot(entry, connection->fd, NULL, 0, 0);
  entry->flags |= IOSQE_BUFFER_SELECT;
  entry->buf_group = 0;
  io_uring_sqe_set_data(entry, tagged(connection, kReceive));
  connection->receiving = true;
}

static void stop_receive(struct connection* connection) {
  if (!connection->receiving || connection->cancelling) return;
  struct io_uring_sqe* entry = next_entry(NULL);
  io_uring_prep_cancel(entry, tagged(connection, kReceive), 0);
  io_uring_sqe_set_data64(entry, kCancel);
  connection->cancelling = true;
}

static void recycle(int buffer) {
  io_uring_buf_ring_add(buffer_ring, buffers + (size_t)buffer * kBufferBytes, kBufferBytes,
                        (uint16_t)buffer, io_uring_buf_ring_mask(kBuffers), 0);
  io_uring_buf_ring_advance(buffer_ring, 1);
}

static void release(const struct piece* piece) {
  if (piece->buffer == kNoBuffer) {
    --arena_pieces;
  } else {
    recycle(piece->buffer);
  }
}

static void add_rest(struct connection* connection, const char* bytes, size_t size) {
  connection->rest = realloc(connection->rest, connection->rest_bytes + size);
  if (connection->rest == NULL) die("floor_uring: realloc");
  memcpy(connection->rest + connection->rest_bytes, bytes, size);
  connection->rest_bytes += (uint32_t)size;
}

// What the kernel reads while the rest grows must not move: each waiting send has its own copy.
static void send_rest(struct connection* connection) {
  struct io_uring_sqe* entry = next_entry(NULL);
  connection->rest_in_flight = connection->rest_bytes;
  connection->pieces[0] = (struct piece){connection->rest, connection->rest_bytes, kNoBuffer};
  connection->rest = NULL;
  connection->rest_bytes = 0;
  io_uring_prep_send(entry, connection->fd, connection->pieces[0].bytes, connection->rest_in_flight,
                     MSG_NOSIGNAL | MSG_WAITALL);
  io_uring_sqe_set_data(entry, tagged(connection, kSend));
  connection->sending = true;
}

static void send_piece(struct connection* connection) {
  struct io_uring_sqe* entry = next_entry(NULL);
  io_uring_prep_send(entry, connection->fd, connection->pieces[0].bytes, connection->pieces[0].size,
                     MSG_NOSIGNAL | MSG_DONTWAIT);
  io_uring_sqe_set_data(entry, tagged(connection, kSend));
  connection->sending = true;
}

static void add_piece(struct connection* connection, struct piece piece) {
  const bool copying = connection->rest_in_flight > 0 || connection->rest_bytes > 0;
  if (copying || connection->pieces_count == kPiecesMax) {
    add_rest(connection, piece.bytes, piece.size);
    release(&piece);
    stop_receive(connection);
    return;
  }
  connection->pieces[connection->pieces_count++] = piece;
  if (!connection->sending) send_piece(connection);
}

// Frees it if the kernel holds nothing of it any more; else makes the kernel let go.
static void close_connection(struct connection* connection) {
  if (connection->receiving || connection->sending) {
    if (!connection->broken) shutdown(connection->fd, SHUT_RDWR);
    connection->broken = true;
    return;
  }
  for (int i = 0; i < connection->pieces_count; ++i) release(&connection->pieces[i]);
  close(connection->fd);
  free(connection->rest);
  free(connection->partial);
  free(connection);
}

// Everything in hand has gone: read on, or be done.
static void go_on(struct connection* connection) {
  if (connection->ended) return close_connection(connection);
  if (!connection->receiving) start_receive(connection);
}

static void handle_sent_rest(struct connection* connection, int result) {
  free((char*)connection->pieces[0].bytes);
  const bool whole = result == (int)connection->rest_in_flight;
  connection->rest_in_flight = 0;
  if (!whole || connection->broken) return close_connection(connection);
  if (connection->rest_bytes > 0) return send_rest(connection);
  go_on(connection);
}

static void handle_sent(struct connection* connection, int result) {
  connection->sending = false;
  if (connection->rest_in_flight > 0) return handle_sent_rest(connection, result);
  if (result == -EAGAIN || result == -EINTR) result = 0;
  if (result < 0 || connection->broken) return close_connection(connection);
  const struct piece first = connection->pieces[0];
  if (result == (int)first.size) {
    release(&first);
    --connection->pieces_count;
    memmove(connection->pieces, connection->pieces + 1,
            connection->pieces_count * sizeof(struct piece));
    if (connection->pieces_count > 0) return send_piece(connection);
    if (connection->rest_bytes > 0) return send_rest(connection);
    return go_on(connection);
  }
  // The socket is full: what is left of the pieces comes before what the rest already holds.
  char* later = connection->rest;
  const uint32_t later_bytes = connection->rest_bytes;
  connection->rest = NULL;
  connection->rest_bytes = 0;
  for (int i = 0; i < connection->pieces_count; ++i) {
    const struct piece* piece = &connection->pieces[i];
    const uint32_t sent = i == 0 ? (uint32_t)result : 0;
    add_rest(connection, piece->bytes + sent, piece->size - sent);
    release(piece);
  }
  connection->pieces_count = 0;
  if (later_bytes > 0) add_rest(connection, later, later_bytes);
  free(later);
  stop_receive(connection);
  send_rest(connection);
}

// A place for `size` bytes that lasts until they are sent, or NULL: the arena is full.
static char* reserve_arena(size_t size) {
  if (arena_pieces == 0) arena_used = 0;
  return arena_used + size <= kArenaBytes ? arena + arena_used : NULL;
}

static void send_lines(struct connection* connection, const char* begin, size_t size) {
  const char* line = begin;
  const char* end = begin + size;
  char* output = reserve_arena(size * kReplyGrowthMax);
  char* own = output == NULL ? allocate(size * kReplyGrowthMax) : NULL;
  if (output == NULL) output = own;
  char* reply = output;
  const char* newline = begin;
  while ((newline = memchr(newline, '\n', (size_t)(end - newline))) != NULL) {
    if (newline - line > kLineMax) break;
    reply = answer_line(line, newline, reply);
    line = ++newline;
  }
  const size_t left = (size_t)(end - line);
  const uint32_t reply_bytes = (uint32_t)(reply - output);
  if (newline == NULL && left <= kLineMax) {
    if (left > 0 && connection->partial == NULL) connection->partial = allocate(kLineMax);
    if (left > 0) memcpy(connection->partial, line, left);
    if (left == 0) {
      free(connection->partial);
      connection->partial = NULL;
    }
    connection->partial_bytes = (uint32_t)left;
  } else {
    connection->ended = true;  // an over-long line: what is answered goes out, then the end
    stop_receive(connection);
  }
  if (reply_bytes > 0 && own == NULL) {
    arena_used += reply_bytes;
    ++arena_pieces;
    add_piece(connection, (struct piece){output, reply_bytes, kNoBuffer});
  } else if (reply_bytes > 0) {
    add_rest(connection, output, reply_bytes);
    stop_receive(connection);
    if (!connection->sending) send_rest(connection);
  }
  free(own);
}

static void handle_data(struct connection* connection, int buffer, uint32_t size) {
  const char* bytes = buffers + (size_t)buffer * kBufferBytes;
  if (connection->broken || connection->ended) return recycle(buffer);
  if (!lines) return add_piece(connection, (struct piece){bytes, size, buffer});
  if (connection->partial_bytes == 0) {
    send_lines(connection, bytes, size);
  } else {
    const uint32_t before = connection->partial_bytes;
    memcpy(line_input, connection->partial, before);
    memcpy(line_input + before, bytes, size);
    send_lines(connection, line_input, before + size);
  }
  recycle(buffer);
}

static void handle_received(struct connection* connection, const struct io_uring_cqe* event) {
  if (event->res > 0) {
    handle_data(connection, (int)(event->flags >> IORING_CQE_BUFFER_SHIFT), (uint32_t)event->res);
  }
  if ((event->flags & IORING_CQE_F_MORE) != 0) return;
  connection->receiving = false;
  connection->cancelling = false;
  if (event->res == 0) connection->ended = true;
  if (event->res < 0 && event->res != -ECANCELED && event->res != -ENOBUFS) {
    connection->broken = true;
  }
  if (connection->broken) return close_connection(connection);
  // -ENOBUFS: those who hold the buffers give them back within the turn.
  if (!connection->sending) go_on(connection);
}

static void handle_accepted(int result, uint32_t flags, int listen_fd) {
  if (result >= 0) {
    set_no_delay(result);
    struct connection* connection = allocate(sizeof *connection);
    memset(connection, 0, sizeof *connection);
    connection->fd = result;
    start_receive(connection);
  } else if (result == -EMFILE || result == -ENFILE) {
    errno = -result;
    die("floor_uring: accept");
  }
  if ((flags & IORING_CQE_F_MORE) == 0) start_accept(listen_fd);
}

static void start_ring(void) {
  struct io_uring_params params = {
      .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
      .cq_entries = kCompletions,
  };
  int error = io_uring_queue_init_params(kEntries, &ring, &params);
  if (error != 0) {
    errno = -error;
    die("floor_uring: io_uring_queue_init_params");
  }
  const size_t ring_bytes = kBuffers * sizeof(struct io_uring_buf);
  if (posix_memalign((void**)&buffer_ring, 4096, ring_bytes) != 0) die("floor_uring: memory");
  struct io_uring_buf_reg registration = {
      .ring_addr = (uint64_t)(uintptr_t)buffer_ring, .ring_entries = kBuffers, .bgid = 0};
  error = io_uring_register_buf_ring(&ring, &registration, 0);
  if (error != 0) {
    errno = -error;
    die("floor_uring: io_uring_register_buf_ring");
  }
  io_uring_buf_ring_init(buffer_ring);
  buffers = allocate((size_t)kBuffers * kBufferBytes);
  arena = allocate(kArenaBytes);
  for (int i = 0; i < kBuffers; ++i) recycle(i);
}

static void handle(const struct io_uring_cqe* event, int listen_fd) {
  if (event->user_data == kAccept) return handle_accepted(event->res, event->flags, listen_fd);
  struct connection* connection = (void*)(uintptr_t)(event->user_data & ~(uint64_t)kTagMask);
  switch ((enum tag)(event->user_data & kTagMask)) {
    case kReceive:
      return handle_received(connection, event);
    case kSend:
      return handle_sent(connection, event->res);
    default:
      return;  // a cancel: the receive itself says how it ended
  }
}

int main(int argc, char** argv) {
  char* number_end = NULL;
  const long port = argc == 3 ? strtol(argv[2], &number_end, 10) : -1;
  const bool echo = argc == 3 && strcmp(argv[1], "echo") == 0;
  lines = argc == 3 && strcmp(argv[1], "lines") == 0;
  if ((!echo && !lines) || port < 0 || port > 65535 || *number_end != '\0') {
    fprintf(stderr, "usage: floor_uring echo|lines PORT\n");
    return 2;
  }
  prepare_process();
  start_ring();
  uint16_t bound = (uint16_t)port;
  const int listen_fd = open_listener(&bound, false);
  start_accept(listen_fd);
  say_listening(bound);
  for (;;) {
    const int submitted = io_uring_submit_and_wait(&ring, 1);
    if (submitted < 0 && submitted != -EINTR && submitted != -EBUSY) {
      errno = -submitted;
      die("floor_uring: io_uring_submit_and_wait");
    }
    struct io_uring_cqe* event = NULL;
    unsigned head = 0;
    unsigned count = 0;
    io_uring_for_each_cqe(&ring, head, event) {
      handle(event, listen_fd);
      ++count;
    }
    io_uring_cq_advance(&ring, count);
  }
}
