#!/usr/bin/env bash
# A new release, say: every process is asked to end, one by one, under load. Nobody is turned away.
#   RATE=200 bin/scenarios/rolling-restart.sh
set -euo pipefail
# shellcheck source=bin/scenarios/shared.sh
. "$(dirname "$0")/shared.sh"

instances=2 need_system
load_meanwhile --rate "${RATE:=30}" --duration "${DURATION:=10s}" --users 20
sleep 1
for service in orders payments; do
  for pid in $(pids "$service"); do
    say "$service, process $pid, is asked to end; another takes its place"
    kill -TERM "$pid"
    until_ready "$pid"
  done
done
load_done
judge
