#!/usr/bin/env bash
# Everybody charges the same account. It is locked once a batch, so it is about as fast as a thousand accounts.
#   ORDERS=5000 bin/scenarios/hot-account.sh
set -euo pipefail
# shellcheck source=bin/scenarios/shared.sh
. "$(dirname "$0")/shared.sh"

need_system
say "${ORDERS:=3000} orders on as many accounts as it takes"
tillbox load --orders "$ORDERS" --users 1000 --no-audit --threshold 'errors==0'
say "$ORDERS orders on one account"
tillbox load --orders "$ORDERS" --users 1 --no-audit --threshold 'errors==0'
judge
