// The peer libevent: bufferevents and one connection listener a thread, the threads sharing the
// port. It has no pool for handlers that block: they run in the loop.
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <pthread.h>

#include "floor/lines.h"
#include "floor/listener.h"
#include "peers/arguments.h"

enum { kOutputMax = 256 * 1024 };  // more of it unsent, and nothing more is read

static struct arguments arguments;

// While replies pile up, reading waits.
static void hold_back(struct bufferevent* connection) {
  if (evbuffer_get_length(bufferevent_get_output(connection)) > kOutputMax) {
    bufferevent_disable(connection, EV_READ);
  }
}

static void on_echo(struct bufferevent* connection, void* unused) {
  (void)unused;
  bufferevent_write_buffer(connection, bufferevent_get_input(connection));
  hold_back(connection);
}

static void on_lines(struct bufferevent* connection, void* unused) {
  (void)unused;
  struct evbuffer* input = bufferevent_get_input(connection);
  struct evbuffer* output = bufferevent_get_output(connection);
  char* line = NULL;
  size_t size = 0;
  while ((line = evbuffer_readln(input, &size, EVBUFFER_EOL_LF)) != NULL) {
    char reply[kIdMax + kReplyGrowthMax];
    evbuffer_add(output, reply, (size_t)(answer_line(line, line + size, reply) - reply));
    free(line);
  }
  if (evbuffer_get_length(input) > kLineMax) return bufferevent_free(connection);
  hold_back(connection);
}

static void on_last_sent(struct bufferevent* connection, void* unused) {
  (void)unused;
  bufferevent_free(connection);
}

static void on_event(struct bufferevent* connection, short events, void* unused) {
  (void)unused;
  const bool unsent = evbuffer_get_length(bufferevent_get_output(connection)) > 0;
  if ((events & BEV_EVENT_EOF) != 0 && unsent) {
    bufferevent_setcb(connection, NULL, on_last_sent, on_event, NULL);
    bufferevent_disable(connection, EV_READ);
  } else if ((events & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) != 0) {
    bufferevent_free(connection);
  }
}

static void on_drained(struct bufferevent* connection, void* unused) {
  (void)unused;
  if ((bufferevent_get_enabled(connection) & EV_READ) == 0) bufferevent_enable(connection, EV_READ);
}

static void on_accept(struct evconnlistener* listener, evutil_socket_t fd, struct sockaddr* address,
                      int size, void* unused) {
  (void)address;
  (void)size;
  (void)unused;
  set_no_delay(fd);
  struct bufferevent* connection =
      bufferevent_socket_new(evconnlistener_get_base(listener), fd, BEV_OPT_CLOSE_ON_FREE);
  if (connection == NULL) die("peer_libevent: bufferevent_socket_new");
  bufferevent_setcb(connection, arguments.delay ? on_lines : on_echo, on_drained, on_event, NULL);
  bufferevent_enable(connection, EV_READ | EV_WRITE);
}

static void* run_loop(void* listen_fd) {
  struct event_base* base = event_base_new();
  struct evconnlistener* listener =
      evconnlistener_new(base, on_accept, NULL, LEV_OPT_CLOSE_ON_FREE, 0, (int)(intptr_t)listen_fd);
  if (listener == NULL) die("peer_libevent: evconnlistener_new");
  event_base_dispatch(base);
  return NULL;
}

int main(int argc, char** argv) {
  arguments = parse_arguments(argc, argv, false);
  prepare_process();
  uint16_t port = 0;
  const int first = open_listener(&port, true);
  for (int i = 1; i < arguments.threads; ++i) {
    pthread_t thread;
    void* listen_fd = (void*)(intptr_t)open_listener(&port, true);
    if (pthread_create(&thread, NULL, run_loop, listen_fd) != 0) die("peer_libevent: thread");
  }
  say_listening(port);
  run_loop((void*)(intptr_t)first);
}
