// What the tool does before all else: standard descriptors and signals, as the rest takes them for
// granted. Part of the tool; main thread.
#pragma once

namespace tool {

// First in main(). Fills standard descriptors that are closed, or the first sockets would be what
// everybody takes for standard output. From here on no SIGTERM and no SIGINT is lost, as those are
// to process 1 of a container that does not catch them; also not where our parent blocks them.
// Until others catch them the process ends at once, wherever it is, with `status`: nobody has been
// promised anything yet.
void start_up(int status);

// `serve`. SIGHUP waits from now on: Server::run() tells of it.
void hold_hang_up();

// Around Server::run(): what comes between this and its own handlers waits for them.
class SignalsHeld {
 public:
  SignalsHeld();
  ~SignalsHeld();
  SignalsHeld(const SignalsHeld&) = delete;
  SignalsHeld& operator=(const SignalsHeld&) = delete;
};

}  // namespace tool
