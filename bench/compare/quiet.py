"""Waits for a machine that does nothing else, as far as the floor can tell.

Other programs of a machine, or of the host of a virtual one, come and go over minutes. What they
take most from is the caches, and so from whoever has more instructions and data than the floor. A
look is the floor's own CPU time a request, for a moment. The machine is undisturbed when that is
near the cheapest look so far, or near what the caller knows it to be at rest. Only the floor is
looked at, and before a run, never after it: nothing that was measured is left out.
"""

import re
import subprocess
import time

TOLERANCE = 1.25     # of the cheapest look; a busy host makes it 1.4 and more
LOOK_EVERY = 15.0    # seconds
PAUSE = 5.0          # after a look that found the machine disturbed


class Quiet:
    """`look` returns the floor's CPU time a request, in any unit."""

    def __init__(self, look, patience, at_rest=None, clock=time.monotonic, pause=time.sleep):
        self.look, self.patience, self.at_rest = look, patience, at_rest
        self.clock, self.pause = clock, pause
        self.looks = []
        self.waited = 0.0
        self.looked_at = None

    def wait(self):
        """Before a run. Returns the seconds that it took: none if it has looked lately, or has no
        patience left.
        """
        begin = self.clock()
        if self.looked_at is not None and begin - self.looked_at < LOOK_EVERY:
            return 0.0
        while self.waited < self.patience:
            look_begin = self.clock()
            self.looks.append(self.look())
            if self.is_undisturbed(self.looks[-1]):
                self.looked_at = self.clock()
                break
            self.pause(PAUSE)
            self.waited += self.clock() - look_begin
        return self.clock() - begin

    def is_undisturbed(self, look):
        return look <= TOLERANCE * self.rest()

    def rest(self):
        """Told, it is not what a look found: a clock that boosts for a moment is not rest."""
        return self.at_rest or min(self.looks)

    def sentence(self):
        disturbed = sum(not self.is_undisturbed(one) for one in self.looks)
        return (f"waited {self.waited:.0f} of at most {self.patience:.0f} s for it to be "
                f"undisturbed: {disturbed} of {len(self.looks)} looks found the floor over "
                f"{TOLERANCE:g} of its cost at rest, {self.rest():.3g} us")


def floor_look(bin_dir, pins):
    """A look of half a second, as the rows are measured."""
    floor = f"{bin_dir}/floor_epoll echo 0"
    words = [f"{bin_dir}/ab_timer", "--a", floor, "--b", floor, "--seconds", "0.4", "--slice-ms",
             "25", *map(str, pins)]

    def look():
        done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60)
        return float(re.search(r"(?m)^a_server_cpu_us (\S+)$", done.stdout).group(1))
    return look
