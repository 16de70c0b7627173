#!/usr/bin/env bash
# Feeds this computer's own readings to a `collect` server, once a second:
#
#   scripts/feed.sh HOST PORT
#
# Load, memory and network counters from /proc become lines DEVICE METRIC VALUE UNIX_TIME. Runs
# until it is killed or its parent ends; connects again when the server is not there (yet). Needs
# bash only.
set -u

if (($# != 2)); then
  echo "usage: feed.sh HOST PORT" >&2
  exit 2
fi
readonly host=$1 port=$2 answer_seconds_max=5
socket=

# The parent's process id, by another name than $PPID: that one never changes.
parent_now() {
  local key value
  while read -r key value _; do
    if [[ $key == PPid: ]]; then
      parent=$value
      return
    fi
  done </proc/$$/status
}

# Makes a name that the protocol takes out of any text.
to_name() {
  name=${1//[^A-Za-z0-9_.:-]/_}
  name=${name:0:64}
  case $name in
    '' | LAST | RANGE | COUNT) name=_$name ;;
  esac
}

# Sends one line and reads its answer. Fails when the connection is of no use any more.
tell() {
  local answer
  { printf '%s\n' "$1" >&"$socket"; } 2>/dev/null || return 1
  read -r -t "$answer_seconds_max" answer <&"$socket" || return 1
  if [[ $answer != OK ]]; then echo "feed.sh: \"$1\" was answered \"$answer\"" >&2; fi
}

tell_load() {
  local one five fifteen
  read -r one five fifteen _ </proc/loadavg
  tell "$device load.1 $one $now" && tell "$device load.5 $five $now" &&
    tell "$device load.15 $fifteen $now"
}

tell_memory() {
  local key kibibytes
  while read -r key kibibytes _; do
    case $key in
      MemTotal:) tell "$device memory.total_bytes $((kibibytes * 1024)) $now" || return 1 ;;
      MemAvailable:) tell "$device memory.available_bytes $((kibibytes * 1024)) $now" || return 1 ;;
    esac
  done </proc/meminfo
}

tell_network() {
  local line interface counters
  while read -r line; do
    [[ $line == *:* ]] || continue # two lines of headings
    interface=${line%%:*}
    read -r -a counters <<<"${line#*:}"
    to_name "net.$interface.received_bytes"
    tell "$device $name ${counters[0]} $now" || return 1
    to_name "net.$interface.sent_bytes"
    tell "$device $name ${counters[8]} $now" || return 1
  done </proc/net/dev
}

connected() {
  [[ -n $socket ]] || { exec {socket}<>"/dev/tcp/$host/$port"; } 2>/dev/null
}

hang_up() {
  if [[ -n $socket ]]; then exec {socket}>&-; fi
  socket=
}

# Nothing is ever written to this pipe of our own: reading it with a time limit is a sleep that
# leaves no process behind when this one is killed.
exec {silence}<> <(:)
trap 'exit 0' TERM INT
trap '' PIPE # a server that went away is a failed write

to_name "$(</proc/sys/kernel/hostname)"
readonly device=$name
parent_now
readonly parent_at_start=$parent

while parent_now && [[ $parent == "$parent_at_start" ]]; do
  now=$EPOCHREALTIME
  now=${now/,/.} # a locale may write a comma
  if ! { connected && tell_load && tell_memory && tell_network; }; then hang_up; fi
  read -r -t 1 -u "$silence"
done
