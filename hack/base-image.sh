#!/bin/bash
# Builds a small base image under the given name from this machine's static busybox, through the engine's API:
# no network, no BuildKit and no docker command needed.
#
# usage: hack/base-image.sh NAME        for example hack/base-image.sh cove-test/busybox:1
set -euo pipefail

readonly busybox=/bin/busybox

fail() {
  echo "base-image.sh: $*" >&2
  exit 1
}

[ $# -eq 1 ] || fail "usage: hack/base-image.sh NAME"
readonly name="$1"
[ -x "$busybox" ] || fail "there is no $busybox: install Debian's busybox-static"

host="${DOCKER_HOST:-unix:///var/run/docker.sock}"
case "$host" in
  unix://*) target=(--unix-socket "${host#unix://}" http://engine) ;;
  tcp://*) target=("http://${host#tcp://}") ;;
  *) fail "DOCKER_HOST is \"$host\": only unix:// and tcp:// are known here" ;;
esac

context="$(mktemp --directory)"
trap 'rm -rf "$context"' EXIT
install --mode 755 "$busybox" "$context/busybox"
cat >"$context/Dockerfile" <<'DOCKERFILE'
FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
DOCKERFILE

# The URL is the target's last word; what comes before are options of curl.
url="${target[-1]}/build?t=$(printf '%s' "$name" | sed 's|/|%2F|g; s|:|%3A|g')"
unset 'target[-1]'

build() {
  tar --create --directory "$context" . |
    curl --silent --show-error --fail-with-body --header 'Content-Type: application/x-tar' \
      --data-binary @- "${target[@]}" "$1"
}

answer="$(build "$url")" || fail "the engine at $host refused the build: $answer"
case "$answer" in
  # Somebody removed a layer of the cache while the engine was at it.
  *'"errorDetail"'*'unable to find image'*) answer="$(build "$url&nocache=1")" || fail "the engine refused: $answer" ;;
esac

# A failing step comes with status 200, inside the stream.
case "$answer" in
  *'"errorDetail"'*) fail "the build failed: $answer" ;;
esac
echo "base-image.sh: built $name"
