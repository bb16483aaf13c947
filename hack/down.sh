#!/bin/bash
# Stops the Cove that hack/demo.sh started, and nothing else.
set -euo pipefail
cd "$(dirname "$0")/.."

data=.cove-demo
pidfile=$data/cove.pid
seconds=30

say() { printf '==> %s\n' "$*"; }

if [[ ! -e $pidfile ]]; then
  say 'no demo is running'
  exit
fi
pid=$(cat "$pidfile")
# A pid may have been given to somebody else since; only our own executable is ended.
if [[ "$(readlink "/proc/$pid/exe" 2>/dev/null || true)" != "$PWD"/bin/cove* ]]; then
  rm -f "$pidfile"
  say 'the demo had ended already'
  exit
fi
say "stopping Cove (pid $pid)"
kill -TERM "$pid"
for ((i = 0; i < seconds * 10; i++)); do
  [[ -e /proc/$pid ]] || break
  sleep 0.1
done
if [[ -e /proc/$pid ]]; then
  say "it is still there after $seconds s; see $data/cove.log, or end it with: kill -KILL $pid"
  exit 1
fi
rm -f "$pidfile"
cat <<END
==> Cove has stopped; the containers it started keep running, and the next make demo takes them over.
To remove them, while Cove is running: make demo && bin/cove delete --cascade=foreground -f examples/02-build && make down
To forget the demo's data afterwards: rm -r $data
END
