#!/bin/bash
# The first minutes with Cove: starts it on this machine, applies examples/02-build, shows the page. What is there
# already is left as it is, so it can be run as often as one likes.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/node_modules/.bin:$PATH"

data=.cove-demo
example=examples/02-build
export KUBECONFIG=$PWD/$data/admin.kubeconfig

say() { printf '==> %s\n' "$*"; }

# Whether the pid file names a process that is our executable: a pid may have been given to somebody else since.
running() {
  local pid
  pid=$(cat "$data/cove.pid" 2>/dev/null) || return 1
  [[ "$(readlink "/proc/$pid/exe" 2>/dev/null)" == "$PWD"/bin/cove* ]]
}

start() {
  mkdir -p "$data"
  say "starting bin/cove up --data-dir $data (log: $data/cove.log)"
  setsid nohup bin/cove up --data-dir "$data" >>"$data/cove.log" 2>&1 </dev/null &
  echo $! >"$data/cove.pid"
}

# Fails early with the log's end when the process has ended, instead of waiting for a server that is not there.
await_ready() {
  for _ in {1..15}; do
    if node hack/http.ts ready "$KUBECONFIG" 2 2>/dev/null; then return; fi
    running || break
  done
  say "Cove did not become ready; the end of $data/cove.log:"
  tail -n 20 "$data/cove.log"
  running || rm -f "$data/cove.pid"
  exit 1
}

fetch() {
  if command -v curl >/dev/null; then
    curl --silent --show-error --fail --retry 10 --retry-delay 1 --retry-all-errors "$1"
  else
    node hack/http.ts get "$1"
  fi
}

say 'container engine'
hack/needs.sh curl busybox gcc
hack/engine.sh
say "the C compiler of this machine, as the files of an image: $example/toolchain"
hack/toolchain.sh "$example/toolchain"
if running; then say "Cove is running already (pid $(cat "$data/cove.pid"))"; else start; fi
await_ready
say "bin/cove apply -f $example --wait"
bin/cove apply -f "$example" --wait
port=$(sed -nE 's/^.*hostPort: *([0-9]+).*$/\1/p' "$example"/*.yaml | head -n 1)
if [[ -n "$port" ]]; then
  say "http://127.0.0.1:$port/ answers:"
  fetch "http://127.0.0.1:$port/"
  echo
fi
cat <<END

Cove runs in the background and keeps $example as it is written. Try:
  export KUBECONFIG=$KUBECONFIG
  bin/cove get containers -w              # then docker rm -f site in another terminal
  bin/cove why site                       # what is, what should be, and why
  kubectl get builds,images,containers    # it is the Kubernetes API
Change examples/02-build/site/public/index.html, then: bin/cove apply -f $example --wait
A change that goes back by itself: examples/02-rollout/README.md
To end: make down
END
