#!/bin/bash
# Makes sure that a container engine answers, and says which. Uses the one at $DOCKER_HOST or /var/run/docker.sock;
# when none answers there, installs Debian's docker.io and starts it in the background. Can be run again and by
# several at once.
#
# usage: hack/engine.sh
set -euo pipefail

readonly socket=/var/run/docker.sock
readonly lock=/var/lock/cove-engine.lock
readonly patience=60
# Of its packages, busybox-static is what tests make their base image from.
readonly packages=(docker.io iptables busybox-static curl)

host="${DOCKER_HOST:-unix://$socket}"

say() { echo "engine.sh: $*"; }

fail() {
  echo "engine.sh: $*" >&2
  exit 1
}

# The body of one GET to the engine; fails when it does not answer.
ask() {
  case "$host" in
    unix://*) curl --silent --fail --max-time 5 --unix-socket "${host#unix://}" "http://engine$1" ;;
    tcp://*) curl --silent --fail --max-time 5 "http://${host#tcp://}$1" ;;
    *) fail "DOCKER_HOST is \"$host\": only unix:// and tcp:// are known here" ;;
  esac
}

answers() { command -v curl >/dev/null && ask /_ping >/dev/null; }

describe() {
  local version
  version="$(ask /version | sed -n 's/.*"Version":"\([^"]*\)","ApiVersion":"\([^"]*\)".*/\1, API \2/p')"
  say "the engine at $host answers (version ${version:-unknown})"
}

install_packages() {
  local missing=()
  for package in "${packages[@]}"; do
    dpkg-query --show --showformat='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' ||
      missing+=("$package")
  done
  if [ "${#missing[@]}" -eq 0 ]; then return; fi
  command -v apt-get >/dev/null || fail "no engine answers at $host, and without apt-get none can be installed"
  say "installing ${missing[*]}"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# A machine that went down hard leaves pid files behind, and the numbers in them may be somebody else's by now:
# dockerd would take those for itself and refuse to start.
drop_stale() {
  local file=$1 program=$2 pid
  [ -e "$file" ] || return 0
  pid="$(cat "$file")"
  # The link of a process that has ended and was not yet reaped leads nowhere.
  if [[ "$(readlink "/proc/$pid/exe" 2>/dev/null)" == */"$program" ]]; then return 0; fi
  say "removing $file, which a $program that is gone left behind"
  rm -f "$file"
}

start_dockerd() {
  local log pid
  drop_stale /var/run/docker.pid dockerd
  drop_stale /var/run/docker/containerd/containerd.pid containerd
  log="$(make_log)"
  say "starting dockerd, its log is $log"
  # Closes the lock's descriptor: a daemon that kept it would hold the lock for its whole life.
  setsid nohup dockerd --host "unix://$socket" >>"$log" 2>&1 </dev/null 9>&- &
  pid=$!
  for _ in $(seq $((patience * 5))); do
    if answers; then return; fi
    kill -0 "$pid" 2>/dev/null || fail "dockerd ended; the end of $log: $(tail -n 5 "$log")"
    sleep 0.2
  done
  fail "dockerd did not answer within $patience s; the end of $log: $(tail -n 5 "$log")"
}

make_log() {
  if [ -w /var/log ]; then
    echo /var/log/cove-dockerd.log
  else
    mktemp --tmpdir cove-dockerd.XXXXXX.log
  fi
}

if answers; then
  describe
  exit 0
fi
[ "$host" = "unix://$socket" ] || fail "no engine answers at $host, which DOCKER_HOST names"
[ "$(id -u)" -eq 0 ] || fail "no engine answers at $host, and installing and starting one needs root"

exec 9>"$lock"
flock 9
# Another run may have started one while this one waited.
if ! answers; then
  install_packages
  # The package may have started it as a service.
  if ! answers; then start_dockerd; fi
fi
describe
