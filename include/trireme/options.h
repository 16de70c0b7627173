// Every setting and every limit, with unit, default and reason. Nothing in a server grows beyond
// one of these.
//
// Thread: any. Options are values; the server copies them before start().
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trireme { inline namespace v0 {

// Where handlers run (docs/dispatch.md).
enum class Dispatch : uint8_t {
  kInline,   // on the loop's thread; the user promises not to block
  kWorkers,  // on data workers
  // On the loop's thread. A handler that blocks loses the loop to a spare thread. Kinds of requests
  // that have blocked lately start on data workers.
  kAdaptive,
};

// What an event loop waits on (docs/drivers.md).
enum class DriverKind : uint8_t {
  kEpoll,      // level-triggered
  kEpollEdge,  // edge-triggered
  kPoll,       // a wait costs time for every open connection; a baseline
  kSelect,     // the same, with no descriptor of 1,024 or more
};

// The thread that accepts the clients of a listener.
enum class Accepting : uint8_t {
  kListener,  // one thread, which gives each client to the loop with the fewest
  kLoops,     // every event loop, at a listening socket of its own: the kernel spreads the clients
};

// The order in which the requests of one connection are handled, and their replies leave.
enum class Ordering : uint8_t {
  kSerial,     // the next request starts after the reply to the one before
  kPipelined,  // up to `in_flight_max` at once; replies leave in request order
  // The same, but replies leave as they come. For protocols whose frames carry a number: the codec
  // must put it into the reply, from the tag of its request (Codec::encode).
  kUnordered,
};

// What the end of a client's stream means (FIN, or the last word of a transport layer). Which of
// them is right is a matter of the protocol.
enum class HalfClose : uint8_t {
  // A request to finish: what has arrived is answered, then the connection ends. As in HTTP/1.0, or
  // with `printf ... | nc`.
  kFinish,
  // The client is gone, for nobody of this protocol ends one direction alone: the connection is
  // closed at once, running handlers are cancelled, requests that have not begun never do.
  kGone,
  // The connection stays until the server ends it, by Peer::end, Peer::close or a clock. For
  // proxies
  // and protocols whose directions are independent.
  kStay,
};

enum class LogLevel : uint8_t { kDebug, kInfo, kWarning, kError };

// Makes the layers of connections (transport_layer.h).
class LayerFactory;
using LayerFactories = std::vector<std::shared_ptr<const LayerFactory>>;

// Makes the drivers of a component. Only components implement it, because a driver is built with
// the server's own sources: src/runtime/drivers/driver_factory.h.
class DriverFactory;

// What the event loops of a server wait on: a built-in kind, or the drivers of a component. A value
// type that is made from either:
//
//   options.driver = trireme::DriverKind::kPoll;
//   options.driver = trireme::io_uring();  // trireme/uring.h
class DriverChoice {
 public:
  DriverChoice(DriverKind kind) : kind_(kind), is_built_in_(true) {}   // NOLINT: conversions
  DriverChoice(std::shared_ptr<const DriverFactory> factory) noexcept  // NOLINT: are the point
      : factory_(std::move(factory)), is_built_in_(false) {}

  // Any thread. Whether a kind was chosen; the kind, which is kEpoll if none was; else the factory.
  bool is_built_in() const { return is_built_in_; }
  DriverKind kind() const { return kind_; }
  const std::shared_ptr<const DriverFactory>& factory() const { return factory_; }

 private:
  std::shared_ptr<const DriverFactory> factory_{};  // owners: the copies of the options
  DriverKind kind_ = DriverKind::kEpoll;
  bool is_built_in_;
};

// Receives log lines: one at a time, in order, each cut at 4 KiB. A thread named `log` calls the
// sink (in the simulator and in a Conversation: the thread that has something to say). The sink may
// block: no other thread waits for it. Meanwhile up to 1,024 lines or 256 KiB wait; further lines
// are dropped and counted, and a line says how many. An exception costs its line. The sink must not
// call the server.
//
// The ends of drain(), of run() and of the server wait until the sink has all lines, for one second
// at most, and for 200 ms at most while it takes none. After the end of the server the sink is not
// called again. A call that hangs is left alone, so what it uses must live on.
using LogSink = std::function<void(LogLevel, std::string_view)>;

// Tells where a thread of this process waits at this moment, by its kernel thread id: innermost
// function first, joined by " < ". Empty if the thread does not wait, or if nothing can be told. A
// thread that watches a loop calls the reader, some times a minute. The reader must not interrupt
// the thread.
using StackReader = std::function<std::string(uint64_t thread)>;

// An exception that a handler or a callback of a session has thrown. All of it is borrowed for the
// call.
struct HandlerException {
  std::string_view service;      // ListenOptions::name
  std::string_view where;        // "a handler", "on_close", ...
  std::string_view client;       // its address; empty if there is none
  std::string_view text;         // "std::out_of_range: map::at", one line
  std::exception_ptr exception;  // to be thrown again, or kept
};

// Receives such exceptions. The thread that ran the handler calls the sink as its last act for that
// handler, so the sink may block as the handler may. An exception of the sink itself is logged.
using ExceptionSink = std::function<void(const HandlerException&)>;

// Limits of one listener and its connections. A duration of zero switches its clock off.
struct Limits {
  // Bytes of one request. Memory for a request grows only with bytes that have arrived.
  size_t frame_bytes_max = 1 << 20;
  // Unsent bytes of one connection. Over `high` the connection stops reading requests; at `low` it
  // reads again. So a client that does not take its replies is held back by its own socket. At most
  // 1 GiB.
  size_t write_bytes_high = 256 << 10;
  size_t write_bytes_low = 64 << 10;
  // Bytes read ahead while a handler runs. Beyond them the connection stops reading. 0: it reads
  // nothing meanwhile. At most 1 GiB.
  size_t read_ahead_bytes_max = 64 << 10;
  // Requests of one connection at work at once with kPipelined or kUnordered: this many handlers
  // run or wait to run, and this many replies are due. A handler counts until it has returned, even
  // if its deadline or its Reply has answered before. 1 to 65,536.
  uint32_t in_flight_max = 64;
  // Timers of one session that are set, or on their way to be: Peer::after answers kFull beyond. A
  // session that needs more keeps its own list, and one timer for the first of them. 0 to 250.
  uint32_t timers_max = 32;
  // Calls of one session that wait for their turn: Peer::call answers kFull beyond. The bytes of
  // each count against the byte budget, too. 0 to 65,535.
  uint32_t calls_max = 1024;
  // A connection is closed after this time without a byte in either direction and without a request
  // at work. Frees what vanished clients hold.
  std::chrono::nanoseconds idle_time_max = std::chrono::minutes(10);
  // The same until the first byte in either direction. A client that says nothing holds a place
  // among all connections, so it gets less time. A greeting or a push of the server counts.
  std::chrono::nanoseconds first_byte_time_max = std::chrono::seconds(60);
  // Whether a push restarts these two clocks, as all other bytes do. False: only what the client
  // sends, and replies, keep its connection; so one that merely listens is closed some time.
  bool push_is_activity = true;
  // The same until the handshakes of all transport layers are done, of which the PROXY header is
  // one. `first_byte_time_max` begins anew behind them. Nothing runs where there are no layers.
  std::chrono::nanoseconds handshake_time_max = std::chrono::seconds(5);
  // From the first byte of a request to its last, however slowly it drips.
  std::chrono::nanoseconds request_time_max = std::chrono::seconds(30);
  // A connection is closed when its client has taken no byte of a reply for this time.
  std::chrono::nanoseconds write_time_max = std::chrono::seconds(30);
  // Bytes of the body of a request that is read in parts (docs/streams.md) that wait for its
  // handler. Beyond them the connection stops reading. One receive may be more. 1 to 1 GiB.
  size_t body_bytes_ahead_max = 64 << 10;
  // Who waits on a stream need not wait for ever: so many bytes a second must come, or be taken, on
  // the mean of every `stream_rate_time` in which we read, or have something to send. Else the
  // stream fails, and the connection is closed with kSlowStream. 0, or a time of zero: no such
  // clock. At most 1 GiB.
  size_t stream_rate_min = 256;
  std::chrono::nanoseconds stream_rate_time = std::chrono::seconds(10);
};

// A kind of request that always starts in one place under `adaptive`, whatever its cost.
struct PinnedKind {
  uint32_t kind = 0;                      // the codec's tag, 0 to 14
  Dispatch dispatch = Dispatch::kInline;  // on the loop's thread; or kWorkers
};

// Options of the listening sockets of one listener; clients' sockets have what is of TCP from
// there, without a system call. start() refuses an option that its URL has no use for
// (docs/sockets.md).
struct SocketOptions {
  // TCP. TCP_NODELAY: small replies leave at once, and do not wait for the client to confirm.
  bool no_delay = true;
  // TCP. Keep-alive: after so long without a byte the system asks whether the client's system is
  // still there. Zero: off, for `idle_time_max` finds those that have vanished. At most 32,767 s.
  std::chrono::seconds keep_alive_time{0};
  // TCP, with keep_alive_time. Between two questions, and how many without an answer end the
  // connection. Zero: as the system has it, 75 s and 9. At most 32,767 s and 127.
  std::chrono::seconds keep_alive_interval{0};
  int keep_alive_probes_max = 0;
  // TCP. TCP_USER_TIMEOUT: the system ends a connection whose client has not confirmed what was
  // sent for so long. Zero: as the system has it, some 15 minutes; `write_time_max` comes before,
  // if anything is left to be sent. At most 24 days.
  std::chrono::milliseconds unconfirmed_time_max{0};
  // TCP. TCP_DEFER_ACCEPT: a client is accepted when it has sent something, or after about so long.
  // For protocols whose clients speak first: one wake-up less for each. Zero: at once. At most
  // 32,767 s.
  std::chrono::seconds defer_accept_time{0};
  // TCP. SO_BINDTODEVICE: only clients that come by this network interface, such as "eth0", at
  // most 15 bytes. Empty: by any. Before Linux 5.7 it needs CAP_NET_RAW.
  std::string interface_name{};
  // unix:/path. Permissions of the socket's file, who may connect: 0 to 0777. None: 0777 without
  // what the umask of the process takes away.
  std::optional<uint32_t> mode{};
  // unix:/path. Owner and group of the file, by name or number. Empty: those of the process.
  std::string user{};
  std::string group{};
};

// Options of one listener.
struct ListenOptions {
  // The deadline of a request. Then the codec's error reply answers it, and Request::cancelled()
  // says kDeadline. The connection goes on when the handler has returned. Zero: no deadline.
  std::chrono::nanoseconds handler_time_max{0};
  Ordering ordering = Ordering::kSerial;
  HalfClose half_close = HalfClose::kFinish;
  Limits limits{};
  // Of listen(2), at least 1; the kernel cuts it to net.core.somaxconn. An inherited socket keeps
  // the one that it has.
  int backlog = 4096;
  std::string name = "service";  // in logs and statistics
  // kLoops is for services whose connections are short: a client costs no hand-off and no wake-up.
  // The sockets of the loops share the port by SO_REUSEPORT, socket(7); nginx calls it `reuseport`.
  // The price: the kernel picks a loop by a hash of the addresses. So loops may have unequal
  // shares, and a client waits while its loop computes although others are idle. start() fails if
  // the port is in use.
  Accepting accepting = Accepting::kListener;
  // Where the handlers of this listener run. Empty: where ServerOptions::dispatch says. A listener
  // with kInline answers even while every data worker is in a handler.
  std::optional<Dispatch> dispatch{};
  // The handlers of this listener wait on streams: for the rest of a request, or for a client to
  // take what they write (docs/streams.md). Each takes one of ServerOptions::stream_workers before
  // it starts, on a data worker whatever `dispatch` says. A listener with kInline is refused. A
  // codec may say so of single requests instead: DecodedFrame::streams.
  bool streams = false;
  // Kinds of requests for which `adaptive` learns nothing. A kind that is pinned to kInline starts
  // even while every data worker is in a handler.
  std::vector<PinnedKind> pinned_kinds{};
  // With "tcp+proxy://": whose PROXY headers are believed, as addresses or networks, such as
  // "10.0.0.0/8" or "2001:db8::1". Others are closed without a byte. Empty: the loopback,
  // 127.0.0.0/8 and ::1. A unix socket has the mode of its file instead.
  std::vector<std::string> proxy_from{};
  // With "tls://", or "+tls" behind another scheme: certificates and all else, from make_tls() of
  // the component tls (trireme/tls.h). Owners: as of `layers`.
  std::shared_ptr<const LayerFactory> tls{};
  // Transport layers behind those that the URL names, the outermost first. Owners: the copies of
  // the options, and the connections.
  LayerFactories layers{};
  SocketOptions socket{};
};

// Options of a server.
struct ServerOptions {
  // Event loops, each with one thread that holds it. 0: one for each CPU that affinity and the
  // quota of control groups allow.
  int io_workers = 0;
  // Threads for handlers that block, and spares: at most this many handlers block at once. They
  // start on demand.
  int data_workers = 32;
  // At most this many data workers run handlers that wait on streams, so that slow clients leave
  // the others to all else. Further such requests wait in order. 0: half of `data_workers`, and at
  // least 1. At most `data_workers`.
  int stream_workers = 0;
  // So many requests wait for one of them at most. The next one is refused: the codec's busy reply.
  // 0 to 1,048,576.
  uint32_t stream_queue_max = 65536;
  // Where bodies are gathered that are longer than 64 KiB (docs/streams.md): the folder of their
  // files, which have no names. It should be on a disk: the log warns of one in memory. Empty:
  // "/var/tmp".
  std::string spool_directory{};
  // Bytes of all these files together. A request that would be over gets the codec's busy reply.
  uint64_t spool_bytes_max = 1 << 30;
  // Threads for the steps of transport layers that compute for long, such as TLS handshakes. They
  // start on demand, and stay. 0: one for each CPU, as with io_workers. At most 1,023. Not used by
  // listeners with Dispatch::kInline: there the loop computes.
  int layer_workers = 0;
  // So many of these steps wait at most. A client whose first step would be one more is closed with
  // kRefused, so that a flood of handshakes does not make all of them late. 1 to 1,048,576.
  uint32_t layer_steps_max = 1024;
  // Threads that read files which are not in the memory of the system: a loop never waits for a
  // disk. They start on demand, and stay. 1 to 1,023.
  int disk_workers = 4;
  Dispatch dispatch = Dispatch::kAdaptive;
  // What event loops wait on. If the system refuses it, start() says why.
  DriverChoice driver = DriverKind::kEpoll;
  // The longest time for which event loops and idle data workers look for work before they sleep.
  // Each thread learns its own: the time doubles when the look finds work, and halves to nothing
  // when it does not. Zero: threads sleep at once. A wake-up across CPUs costs 10 to 40 us, at low
  // load much of the latency; the price is CPU time. Off while more threads are at work than there
  // are CPUs.
  std::chrono::nanoseconds poll_time_max{0};
  // Open connections at once. Further clients wait in the backlog. 0: the descriptor limit less a
  // reserve of 32 and less the needs of the server itself, at least 16.
  size_t connections_max = 0;
  // Open connections of one client address. 0: no limit. A connection over the limit is closed at
  // once and counted. A client over IPv4 is the same client at every listener.
  size_t connections_per_address_max = 0;
  // The number of leading bits of an IPv6 address that count as one client for that limit. One host
  // has a network of 64 bits to itself, as a rule, and could take another address for each
  // connection. 1 to 128.
  uint32_t address_prefix_bits = 64;
  // Bytes held for all connections together, in and out. At half of the budget busy connections
  // stop reading at once. At three quarters no connection is accepted. Above it a connection that
  // needs more is closed, and so is a connection for which the system has no memory. The fixed
  // buffers of the loops are part of the budget, some 200 KiB for each loop: if they leave no room
  // for a client, start() says how much is needed. 0: 256 MiB, or half of what the process may use
  // if that is less (limits of its control groups, RLIMIT_DATA, RLIMIT_AS).
  size_t buffer_bytes_max = 0;
  // The time that a drain may take before it is cut.
  std::chrono::nanoseconds drain_time_max = std::chrono::seconds(30);
  // How long, and how many bytes, the server reads and discards after its own last byte. Closing
  // while a client still sends would destroy replies on their way. The time does not end before the
  // client's system has taken all replies, as long as it takes some within write_time_max. At most
  // 1 GiB.
  std::chrono::nanoseconds linger_time_max = std::chrono::seconds(2);
  size_t linger_bytes_max = 1 << 20;
  // A handler with Dispatch::kInline, or a codec, that keeps its loop for this time is reported in
  // the log, with what it waits for. The default is so long that a shortage of CPUs causes no
  // report. Zero: nothing is reported.
  std::chrono::nanoseconds stall_time = std::chrono::milliseconds(25);
  // Reports of stalls a minute, and as many of hand-overs (debug). Further ones are only counted,
  // so that a log does not fill up with one sentence.
  uint32_t stall_reports_per_minute_max = 12;
  // A component sets it, trireme/stacks.h: reports of stalls then say where a handler waits.
  StackReader stack_reader{};
  // Receives each exception of a handler, in place of the log. Empty: a line in the log, with
  // service, client and text, at most one a second for each service.
  ExceptionSink on_exception{};
  // What Server::run() calls at each SIGHUP, on a thread of its own: such as Tls::reload(). Signals
  // wait until it returns. Its exceptions are logged. Empty: a line in the log says that SIGHUP
  // changes nothing.
  std::function<void()> on_hang_up{};
  LogLevel log_level = LogLevel::kInfo;
  LogSink log{};  // empty: standard error
};

}}  // namespace trireme
