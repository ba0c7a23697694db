#!/usr/bin/env bash
# Payments is killed, again and again, in the middle of its work. What it had begun is done once, by the next.
#   KILLS=20 RATE=200 bin/scenarios/kill-payments.sh
set -euo pipefail
# shellcheck source=bin/scenarios/shared.sh
. "$(dirname "$0")/shared.sh"

need_system
load_meanwhile --rate "${RATE:=30}" --duration "${DURATION:=10s}" --users 20
sleep 1
for ((kill = 1; kill <= ${KILLS:=3}; kill++)); do
  for pid in $(pids payments); do
    say "kill -9 payments, process $pid ($kill of $KILLS)"
    kill -9 "$pid"
    until_ready "$pid"
  done
done
load_done
judge
