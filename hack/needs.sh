#!/bin/bash
# Installs what the given commands need from Debian's packages, where they are missing. The engine itself is
# engine.sh's business.
#
# usage: hack/needs.sh COMMAND...        known: busybox bzip2 curl docker-registry etcd gcc git kubectl sshd xz
set -euo pipefail

say() { echo "needs.sh: $*"; }

fail() {
  echo "needs.sh: $*" >&2
  exit 1
}

# One or several, with blanks between them.
packages_of() {
  case "$1" in
    gcc) echo gcc libc6-dev ;;
    busybox) echo busybox-static ;;
    kubectl) echo kubernetes-client ;;
    etcd) echo etcd-server ;;
    sshd) echo openssh-server ;;
    xz) echo xz-utils ;;
    bzip2 | curl | docker-registry | git) echo "$1" ;;
    *) fail "no package is known for \"$1\"" ;;
  esac
}

missing=()
for name in "$@"; do
  packages="$(packages_of "$name")"
  # Programs of the machine's own are not in everybody's path.
  if ! PATH="$PATH:/usr/sbin" command -v "$name" >/dev/null; then
    read -ra found <<<"$packages"
    missing+=("${found[@]}")
  fi
done
if [ "${#missing[@]}" -eq 0 ]; then exit 0; fi
command -v apt-get >/dev/null || fail "missing: ${missing[*]}; without apt-get they have to be installed by hand"
[ "$(id -u)" -eq 0 ] || fail "missing: ${missing[*]}; run as root, or install them by hand"

exec 9>/var/lock/cove-needs.lock
flock 9
say "installing ${missing[*]}"
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
