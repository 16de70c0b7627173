// The floor of a hand-off: the service `lines` of floor/epoll.c, whose calls run on a pool of
// threads, so that one that blocks holds up nobody else.
//
//   floor_offload lines PORT POOL      PORT 0 takes a free one; SIGTERM ends.
//
// One thread has the epoll set and all connections. All complete lines of one read are one job; the
// jobs of one epoll batch enter the queue (a list under a mutex, a condition) together. A thread of
// the pool takes one job, answers its lines, and puts it on the list of done ones; the first on an
// empty list writes the eventfd. The loop sends the replies.
//
// A connection has one job at a time, so replies need no ordering. It stays watched meanwhile,
// since a client that waits for its replies says nothing; only if it does speak is it silenced
// until the job is done.
#include "lines.h"
#include "listener.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

enum {
  kReadBytes = 64 * 1024,
  kEventsMax = 512,
  kPoolMax = 1024,
};

struct job {
  struct job* next;
  struct connection* connection;
  size_t input_bytes;
  size_t reply_bytes;
  char* reply;
  char input[];  // whole lines
};

struct connection {
  int fd;
  uint32_t events;  // watched now
  bool busy;        // has a job
  bool broken;      // close when the job is back
  uint32_t partial_bytes;
  uint32_t rest_bytes;
  uint32_t rest_sent;
  char* rest;
  char* partial;
};

static int epoll_fd;
static int done_fd;
static pthread_mutex_t queue_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t queue_filled = PTHREAD_COND_INITIALIZER;
static struct job* queue_head;  // with queue_mutex, like the two below
static struct job** queue_tail = &queue_head;
static int waiting_threads;
static pthread_mutex_t done_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct job* done_head;  // with done_mutex
static struct job** done_tail = &done_head;
static char input[kLineMax + kReadBytes];

static void watch(struct connection* connection, uint32_t events) {
  if (connection->events == events) return;
  const int operation = connection->events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  struct epoll_event event = {.events = events, .data.ptr = connection};
  if (epoll_ctl(epoll_fd, events == 0 ? EPOLL_CTL_DEL : operation, connection->fd, &event) != 0) {
    die("floor_offload: epoll_ctl");
  }
  connection->events = events;
}

static void close_connection(struct connection* connection) {
  watch(connection, 0);
  connection->broken = true;
  if (connection->busy) return;
  close(connection->fd);
  free(connection->rest);
  free(connection->partial);
  free(connection);
}

static void answer(struct job* job) {
  job->reply = allocate(job->input_bytes * kReplyGrowthMax);
  char* reply = job->reply;
  const char* end = job->input + job->input_bytes;
  for (const char* line = job->input; line < end;) {
    const char* newline = memchr(line, '\n', (size_t)(end - line));
    reply = answer_line(line, newline, reply);
    line = newline + 1;
  }
  job->reply_bytes = (size_t)(reply - job->reply);
}

static void* run_pool_thread(void* unused) {
  (void)unused;
  for (;;) {
    pthread_mutex_lock(&queue_mutex);
    while (queue_head == NULL) {
      ++waiting_threads;
      pthread_cond_wait(&queue_filled, &queue_mutex);
      --waiting_threads;
    }
    struct job* job = queue_head;
    queue_head = job->next;
    if (queue_head == NULL) queue_tail = &queue_head;
    pthread_mutex_unlock(&queue_mutex);

    answer(job);

    job->next = NULL;
    pthread_mutex_lock(&done_mutex);
    const bool first = done_head == NULL;
    *done_tail = job;
    done_tail = &job->next;
    pthread_mutex_unlock(&done_mutex);
    if (first && eventfd_write(done_fd, 1) != 0) die("floor_offload: eventfd_write");
  }
  return NULL;
}

// `count` jobs that hang together from `head`; `tail` is where the next would go.
static void queue_jobs(struct job* head, struct job** tail, int count) {
  pthread_mutex_lock(&queue_mutex);
  *queue_tail = head;
  queue_tail = tail;
  const int wanted = count < waiting_threads ? count : waiting_threads;
  pthread_mutex_unlock(&queue_mutex);
  for (int i = 0; i < wanted; ++i) pthread_cond_signal(&queue_filled);
}

static void send_bytes(struct connection* connection, const char* bytes, size_t size) {
  ssize_t sent = send(connection->fd, bytes, size, MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN && errno != EINTR) return close_connection(connection);
  if (sent < 0) sent = 0;
  if (sent == (ssize_t)size) return watch(connection, EPOLLIN);
  connection->rest_bytes = (uint32_t)(size - (size_t)sent);
  connection->rest_sent = 0;
  connection->rest = allocate(connection->rest_bytes);
  memcpy(connection->rest, bytes + sent, connection->rest_bytes);
  watch(connection, EPOLLOUT);
}

static void send_rest(struct connection* connection) {
  const ssize_t sent = send(connection->fd, connection->rest + connection->rest_sent,
                            connection->rest_bytes - connection->rest_sent, MSG_NOSIGNAL);
  if (sent < 0) {
    if (errno != EAGAIN && errno != EINTR) close_connection(connection);
    return;
  }
  connection->rest_sent += (uint32_t)sent;
  if (connection->rest_sent < connection->rest_bytes) return;
  free(connection->rest);
  connection->rest = NULL;
  connection->rest_bytes = 0;
  watch(connection, EPOLLIN);
}

static void finish_jobs(void) {
  eventfd_t value = 0;
  eventfd_read(done_fd, &value);
  pthread_mutex_lock(&done_mutex);
  struct job* job = done_head;
  done_head = NULL;
  done_tail = &done_head;
  pthread_mutex_unlock(&done_mutex);
  while (job != NULL) {
    struct job* next = job->next;
    struct connection* connection = job->connection;
    connection->busy = false;
    if (connection->broken) {
      close_connection(connection);
    } else {
      send_bytes(connection, job->reply, job->reply_bytes);
    }
    free(job->reply);
    free(job);
    job = next;
  }
}

static void keep_partial(struct connection* connection, const char* bytes, size_t size) {
  if (size > 0) {
    if (connection->partial == NULL) connection->partial = allocate(kLineMax);
    memcpy(connection->partial, bytes, size);
  } else {
    free(connection->partial);
    connection->partial = NULL;
  }
  connection->partial_bytes = (uint32_t)size;
}

// False: a line is too long.
static bool lengths_allowed(const char* begin, const char* end) {
  while (end - begin > kLineMax) {
    const char* newline = memchr(begin, '\n', kLineMax + 1);
    if (newline == NULL) return false;
    begin = newline + 1;
  }
  return true;
}

// The job of what has arrived, or NULL.
static struct job* read_job(struct connection* connection) {
  const size_t before = connection->partial_bytes;
  const ssize_t size = recv(connection->fd, input + before, kReadBytes, 0);
  if (size <= 0) {
    if (size == 0 || (errno != EAGAIN && errno != EINTR)) close_connection(connection);
    return NULL;
  }
  if (before > 0) memcpy(input, connection->partial, before);
  const char* end = input + before + size;
  const char* last = memrchr(input, '\n', before + (size_t)size);
  const char* partial = last == NULL ? input : last + 1;
  if (!lengths_allowed(input, end)) {
    close_connection(connection);
    return NULL;
  }
  keep_partial(connection, partial, (size_t)(end - partial));
  if (partial == input) return NULL;
  const size_t input_bytes = (size_t)(partial - input);
  struct job* job = allocate(sizeof *job + input_bytes);
  *job = (struct job){.connection = connection, .input_bytes = input_bytes};
  memcpy(job->input, input, input_bytes);
  connection->busy = true;
  return job;
}

// The job that the event has led to, or NULL.
static struct job* handle(struct connection* connection, uint32_t events) {
  if (connection->busy) {
    // Gone, or speaks while it waits: nothing is read until the job is back.
    if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
      close_connection(connection);
    } else {
      watch(connection, EPOLLET);
    }
    return NULL;
  }
  if (connection->rest_bytes == 0) return read_job(connection);
  send_rest(connection);
  return NULL;
}

static void accept_connections(int listen_fd) {
  for (;;) {
    const int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EMFILE || errno == ENFILE) die("floor_offload: accept4");
      if (errno == EAGAIN) return;
      continue;
    }
    set_no_delay(fd);
    struct connection* connection = allocate(sizeof *connection);
    *connection = (struct connection){.fd = fd};
    watch(connection, EPOLLIN);
  }
}

static void run_loop(int listen_fd) {
  struct epoll_event events[kEventsMax];
  for (;;) {
    const int count = epoll_wait(epoll_fd, events, kEventsMax, -1);
    struct job* head = NULL;
    struct job** tail = &head;
    int jobs = 0;
    bool done = false;
    for (int i = 0; i < count; ++i) {
      void* who = events[i].data.ptr;
      if (who == NULL) {
        accept_connections(listen_fd);
      } else if (who == &done_fd) {
        done = true;  // last: it may free a connection that is later in this batch
      } else {
        struct job* job = handle(who, events[i].events);
        if (job == NULL) continue;
        *tail = job;
        tail = &job->next;
        ++jobs;
      }
    }
    if (jobs > 0) queue_jobs(head, tail, jobs);
    if (done) finish_jobs();
  }
}

int main(int argc, char** argv) {
  char* port_end = NULL;
  char* pool_end = NULL;
  const bool words = argc == 4 && strcmp(argv[1], "lines") == 0;
  const long port = words ? strtol(argv[2], &port_end, 10) : -1;
  const long pool = words ? strtol(argv[3], &pool_end, 10) : -1;
  if (port < 0 || port > 65535 || *port_end != '\0' || pool < 1 || pool > kPoolMax ||
      *pool_end != '\0') {
    fprintf(stderr, "usage: floor_offload lines PORT POOL\n");
    return 2;
  }
  prepare_process();
  epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  done_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (epoll_fd < 0 || done_fd < 0) die("floor_offload: epoll_create1, eventfd");
  uint16_t bound = (uint16_t)port;
  const int listen_fd = open_listener(&bound, false);
  struct epoll_event listening = {.events = EPOLLIN, .data.ptr = NULL};
  struct epoll_event finished = {.events = EPOLLIN, .data.ptr = &done_fd};
  if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listen_fd, &listening) != 0 ||
      epoll_ctl(epoll_fd, EPOLL_CTL_ADD, done_fd, &finished) != 0) {
    die("floor_offload: epoll_ctl");
  }
  for (long i = 0; i < pool; ++i) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, run_pool_thread, NULL) != 0) die("floor_offload: thread");
    pthread_detach(thread);
  }
  say_listening(bound);
  run_loop(listen_fd);
}
