// The peer libuv: one loop a thread, the threads sharing the port; a buffer of the loop for
// reading, uv_try_write first. With --pool handlers run by uv_queue_work, one job a connection at a
// time: the lines of one read. While a job or a write is out, the connection is not read.
#include <pthread.h>
#include <uv.h>

#include "floor/lines.h"
#include "floor/listener.h"
#include "peers/arguments.h"

enum { kReadBytes = 64 * 1024 };

struct connection {
  uv_tcp_t stream;
  uv_write_t write;
  uv_work_t work;
  bool closing;
  bool working;
  char* output;  // of the job, or what a short write has left
  size_t output_bytes;
  char* input;  // of the job
  size_t input_bytes;
  char* partial;  // an unfinished line
  size_t partial_bytes;
};

static struct arguments arguments;
static __thread char read_buffer[kReadBytes];

static void on_read(uv_stream_t* stream, ssize_t size, const uv_buf_t* buffer);

static void on_allocate(uv_handle_t* handle, size_t suggested, uv_buf_t* buffer) {
  (void)handle;
  (void)suggested;
  *buffer = uv_buf_init(read_buffer, sizeof read_buffer);
}

static void on_closed(uv_handle_t* handle) {
  struct connection* connection = handle->data;
  free(connection->output);
  free(connection->input);
  free(connection->partial);
  free(connection);
}

static void close_connection(struct connection* connection) {
  connection->closing = true;
  if (!connection->working && !uv_is_closing((uv_handle_t*)&connection->stream)) {
    uv_close((uv_handle_t*)&connection->stream, on_closed);
  }
}

static void read_on(struct connection* connection) {
  if (uv_read_start((uv_stream_t*)&connection->stream, on_allocate, on_read) != 0) {
    close_connection(connection);
  }
}

static void on_written(uv_write_t* write, int status) {
  struct connection* connection = write->data;
  free(connection->output);
  connection->output = NULL;
  if (status == 0) {
    read_on(connection);
  } else if (status != UV_ECANCELED) {
    close_connection(connection);
  }
}

// True: all of it is sent; else it waits, and nothing is read.
static bool send_all(struct connection* connection, char* bytes, size_t size) {
  uv_buf_t buffer = uv_buf_init(bytes, (unsigned)size);
  const int sent = uv_try_write((uv_stream_t*)&connection->stream, &buffer, 1);
  if (sent == (int)size) return true;
  if (sent < 0 && sent != UV_EAGAIN) {
    close_connection(connection);
    return false;
  }
  const size_t done = sent > 0 ? (size_t)sent : 0;
  char* rest = allocate(size - done);
  memcpy(rest, bytes + done, size - done);
  free(connection->output);
  connection->output = rest;
  buffer = uv_buf_init(rest, (unsigned)(size - done));
  uv_read_stop((uv_stream_t*)&connection->stream);
  connection->write.data = connection;
  if (uv_write(&connection->write, (uv_stream_t*)&connection->stream, &buffer, 1, on_written) !=
      0) {
    close_connection(connection);
  }
  return false;
}

// Pool thread, or the loop itself without a pool.
static void answer(struct connection* connection) {
  const char* end = connection->input + connection->input_bytes;
  connection->output = allocate(connection->input_bytes * kReplyGrowthMax);
  char* reply = connection->output;
  for (const char* line = connection->input; line < end;) {
    const char* newline = memchr(line, '\n', (size_t)(end - line));
    reply = answer_line(line, newline, reply);
    line = newline + 1;
  }
  connection->output_bytes = (size_t)(reply - connection->output);
}

static void send_answers(struct connection* connection) {
  char* output = connection->output;
  connection->output = NULL;
  free(connection->input);
  connection->input = NULL;
  const bool sent = send_all(connection, output, connection->output_bytes);
  free(output);
  if (sent && arguments.pool > 0) read_on(connection);
}

static void on_work(uv_work_t* work) { answer(work->data); }

static void on_worked(uv_work_t* work, int status) {
  (void)status;
  struct connection* connection = work->data;
  connection->working = false;
  if (connection->closing) return close_connection(connection);
  send_answers(connection);
}

// Takes the whole lines out of what has arrived; what is left stays for the next time.
static void handle_lines(struct connection* connection, const char* bytes, size_t size) {
  const size_t total = connection->partial_bytes + size;
  char* all = realloc(connection->partial, total);
  if (all == NULL) die("peer_libuv: realloc");
  memcpy(all + connection->partial_bytes, bytes, size);
  connection->partial = NULL;
  const char* last = memrchr(all, '\n', total);
  const size_t whole = last == NULL ? 0 : (size_t)(last + 1 - all);
  connection->partial_bytes = total - whole;
  if (connection->partial_bytes > 0) {
    connection->partial = allocate(connection->partial_bytes);
    memcpy(connection->partial, all + whole, connection->partial_bytes);
  }
  if (connection->partial_bytes > kLineMax || whole == 0) {
    free(all);
    if (connection->partial_bytes > kLineMax) close_connection(connection);
    return;
  }
  connection->input = all;
  connection->input_bytes = whole;
  if (arguments.pool == 0) {
    answer(connection);
    return send_answers(connection);
  }
  uv_read_stop((uv_stream_t*)&connection->stream);
  connection->working = true;
  connection->work.data = connection;
  uv_queue_work(connection->stream.loop, &connection->work, on_work, on_worked);
}

static void on_read(uv_stream_t* stream, ssize_t size, const uv_buf_t* buffer) {
  struct connection* connection = stream->data;
  if (size < 0) return close_connection(connection);
  if (size == 0) return;
  if (arguments.delay) {
    handle_lines(connection, buffer->base, (size_t)size);
  } else {
    send_all(connection, buffer->base, (size_t)size);
  }
}

static void on_connection(uv_stream_t* listener, int status) {
  if (status != 0) return;
  struct connection* connection = allocate(sizeof *connection);
  memset(connection, 0, sizeof *connection);
  uv_tcp_init(listener->loop, &connection->stream);
  connection->stream.data = connection;
  if (uv_accept(listener, (uv_stream_t*)&connection->stream) != 0) {
    return close_connection(connection);
  }
  uv_tcp_nodelay(&connection->stream, 1);
  read_on(connection);
}

static void* run_loop(void* listen_fd) {
  uv_loop_t loop;
  uv_tcp_t listener;
  uv_loop_init(&loop);
  uv_tcp_init(&loop, &listener);
  if (uv_tcp_open(&listener, (int)(intptr_t)listen_fd) != 0 ||
      uv_listen((uv_stream_t*)&listener, kBacklog, on_connection) != 0) {
    die("peer_libuv: listen");
  }
  uv_run(&loop, UV_RUN_DEFAULT);
  return NULL;
}

int main(int argc, char** argv) {
  arguments = parse_arguments(argc, argv, true);
  prepare_process();
  if (arguments.pool > 0) {
    char size[16];
    snprintf(size, sizeof size, "%d", arguments.pool);
    setenv("UV_THREADPOOL_SIZE", size, 1);
  }
  uint16_t port = 0;
  const int first = open_listener(&port, true);
  for (int i = 1; i < arguments.threads; ++i) {
    pthread_t thread;
    void* listen_fd = (void*)(intptr_t)open_listener(&port, true);
    if (pthread_create(&thread, NULL, run_loop, listen_fd) != 0) die("peer_libuv: thread");
  }
  say_listening(port);
  run_loop((void*)(intptr_t)first);
}
