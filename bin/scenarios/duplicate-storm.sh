#!/usr/bin/env bash
# A client that never gives up: the same order again and again, under one idempotency key. It is paid once.
#   TIMES=50 bin/scenarios/duplicate-storm.sh
set -euo pipefail
# shellcheck source=bin/scenarios/shared.sh
. "$(dirname "$0")/shared.sh"

need_system
user=$(new_user stubborn 100)
say "one order of $user, sent ${TIMES:=10} times, four at a time, under one key"
send() { tillbox create-order "$user" "$1" "the same" --idempotency-key "key-of-$user" --json; }
export -f send
export user
ids=$(seq "$TIMES" | xargs -P 4 -I '{}' bash -c 'send 30' | grep -o '"id":"[^"]*"' | sort -u | wc -l)
expect 1 "$((ids))" order came of it
say "another order under the same key is refused, with exit code 6"
code=0
send 31 || code=$?
expect 6 "$code" was the exit code
judge
expect 70.00 "$(tillbox balance "$user")" is left
