#!/usr/bin/env bash
# Payments hangs while orders pour in. They are accepted all the same, wait as NEW, and are paid afterwards.
#   OUTAGE=60 RATE=100 bin/scenarios/payments-outage.sh
set -euo pipefail
# shellcheck source=bin/scenarios/shared.sh
. "$(dirname "$0")/shared.sh"

need_system
user=$(new_user patient 10)
load_meanwhile --rate "${RATE:=30}" --duration "$((${OUTAGE:=5} + 5))s" --users 20
sleep 2
say "payments is frozen for $OUTAGE s"
frozen=$(pids payments)
at_end "echo '$frozen' | xargs kill -CONT 2> /dev/null"
xargs kill -STOP <<< "$frozen"
tillbox create-order "$user" 10 "ordered in the outage"
sleep "$OUTAGE"
expect 1 "$(count_orders "$user" NEW)" order waits
tillbox queues
say "payments goes on"
xargs kill -CONT <<< "$frozen"
load_done
judge
expect 1 "$(count_orders "$user" FINISHED)" order is finished
