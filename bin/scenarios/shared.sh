# shellcheck shell=bash
# What every scenario shares. Sourced, not run: finds tillbox, finds or starts a system, judges at the end.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# Installed globally, tillbox is in the PATH; in a clone it is in node_modules/.bin.
command -v tillbox > /dev/null || PATH="$here/../../node_modules/.bin:$PATH"

say() { printf '\n— %s\n' "$*" >&2; }

# What is to be done at the end, whatever way it comes; the last first.
undo=:
at_end() { undo="{ $1; } || true; $undo"; }
trap 'eval "$undo"' EXIT

# Uses the system that runs; without one, starts its own, ephemeral, with $instances of each service (or one),
# and ends it.
need_system() {
  if tillbox status > /dev/null 2>&1; then
    say "on the system that runs"
    return
  fi
  TILLBOX_HOME=$(mktemp -d)
  export TILLBOX_HOME GATEWAY_PORT=0 ORDERS_PORT=0 PAYMENTS_PORT=0
  unset TILLBOX_URL
  at_end "tillbox down > /dev/null 2>&1; rm -rf '$TILLBOX_HOME'"
  say "no system runs: starting one for the time being"
  tillbox up --detach --ephemeral --instances "orders=${instances:=1}" "payments=$instances" >&2
}

# A user nobody had before, so that a scenario may be repeated: "new_user alice 100" prints alice-…
new_user() {
  local user
  user="$1-$(date +%s)-$RANDOM"
  tillbox create-account "$user" > /dev/null
  tillbox topup "$user" "$2" > /dev/null
  echo "$user"
}

# Load in the background, while the scenario does something else; "load_done" waits for its verdict.
load_meanwhile() {
  tillbox load "$@" --no-audit --threshold 'errors==0' &
  load=$!
  at_end "kill $load 2> /dev/null"
}
load_done() { wait "$load"; }

# The process ids of a service, one a line: "pids payments", "pids orders".
pids() {
  tillbox status --json | node -e '
    const status = JSON.parse(require("fs").readFileSync(0, "utf8"));
    for (const { pid } of status[process.argv[1]].instances) console.log(pid);
  ' "$1"
}

# Waits until all is ready, and the process named, if any, has been replaced: "until_ready 4711".
until_ready() {
  local deadline=$((SECONDS + 60))
  until tillbox status --json 2> /dev/null | node -e '
    const status = JSON.parse(require("fs").readFileSync(0, "utf8"));
    const instances = [...status.orders.instances, ...status.payments.instances];
    const isNew = ({ pid }) => String(pid) !== process.argv[1];
    const well = status.gateway.ready && instances.every((one) => one.ready && isNew(one));
    process.exit(well ? 0 : 1);
  ' "${1:-}"; do
    if ((SECONDS > deadline)); then
      say "not ready within a minute: see tillbox doctor"
      exit 8
    fi
    sleep 0.2
  done
}

# How many orders of a user have a status: "count_orders alice FINISHED".
count_orders() {
  tillbox orders "$1" --status "$2" --limit 10000 --json |
    node -p 'JSON.parse(require("fs").readFileSync(0, "utf8")).orders.length'
}

# "expect 10 WHAT is, in words": fails when the second is not the first.
expect() {
  if [ "$1" = "$2" ]; then
    say "as it must be: $2 ${*:3}"
  else
    say "WRONG: $2 ${*:3}, and not $1"
    exit 8
  fi
}

# The verdict: everything final, nothing lost, nothing twice. Its exit code is the scenario's.
judge() {
  say "audit"
  tillbox audit --wait "${AUDIT_WAIT:-60}"
}
