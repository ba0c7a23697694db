#!/usr/bin/env bash
# A quiet day: orders come at an even rate. How long does one take, from its creation to its settlement?
#   RATE=50 DURATION=20s bin/scenarios/steady.sh
set -euo pipefail
# shellcheck source=bin/scenarios/shared.sh
. "$(dirname "$0")/shared.sh"

need_system
say "${RATE:=20} orders a second for ${DURATION:=10s}"
tillbox load --rate "$RATE" --duration "$DURATION" --users 50 --no-audit --threshold 'errors==0'
judge
