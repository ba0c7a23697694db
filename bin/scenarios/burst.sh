#!/usr/bin/env bash
# The doors open: everybody orders at once. The queues fill, and drain again.
#   ORDERS=20000 CLIENTS=128 bin/scenarios/burst.sh
set -euo pipefail
# shellcheck source=bin/scenarios/shared.sh
. "$(dirname "$0")/shared.sh"

need_system
say "${ORDERS:=5000} orders from ${CLIENTS:=64} clients, as fast as they are taken"
tillbox load --orders "$ORDERS" --clients "$CLIENTS" --users 500 --no-audit --threshold 'errors==0'
tillbox queues
judge
