#!/usr/bin/env bash
# More orders at once than an account can pay: exactly those it can pay are FINISHED, the others CANCELED.
#   ORDERS=100 bin/scenarios/overdraft-race.sh
set -euo pipefail
# shellcheck source=bin/scenarios/shared.sh
. "$(dirname "$0")/shared.sh"

need_system
: "${ORDERS:=16}"
payable=$((ORDERS / 2))
user=$(new_user racer "$((payable * 10))")
say "$user can pay $payable orders of 10.00, and makes $ORDERS at once"
seq "$ORDERS" | xargs -P 4 -I '{}' tillbox create-order "$user" 10 "race {}" --json > /dev/null
judge
expect "$payable" "$(count_orders "$user" FINISHED)" orders are finished
expect "$((ORDERS - payable))" "$(count_orders "$user" CANCELED)" orders are canceled
expect 0.00 "$(tillbox balance "$user")" is left
