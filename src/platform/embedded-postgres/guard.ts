import { spawn } from 'node:child_process';

/** A process that outlives us by a moment. */
export interface Guard {
  /** Ends the guard without it doing anything. May be called twice. */
  dismiss(): void;
  /** Lets the guard clean up now, as if we had died. */
  cleanUp(): void;
}

/**
 * Waits for the end of its input, which comes when our process is gone, however it went. A line means that
 * all was cleaned up already. SIGQUIT is Postgres's immediate shutdown. Two seconds are granted to a server
 * that was just being started to write down its process id; then the server has ten to go before SIGKILL. An
 * id that has passed to a process of another name is left alone.
 */
const script = `
trap '' INT TERM HUP
read -r line && exit 0
cd -- "$1" || exit 0
pid=
tries=0
while [ -z "$pid" ] && [ $tries -lt 20 ]; do
  pid=$(head -n 1 data/postmaster.pid 2>/dev/null)
  tries=$((tries + 1))
  [ -n "$pid" ] || sleep 0.1
done
name=$(cat "/proc/$pid/comm" 2>/dev/null || ps -o comm= -p "$pid" 2>/dev/null)
if [ "\${name%postgres}" != "$name" ]; then
  kill -QUIT "$pid" 2>/dev/null
  tries=0
  while [ -e data/postmaster.pid ] && kill -0 "$pid" 2>/dev/null && [ $tries -lt 100 ]; do
    tries=$((tries + 1))
    sleep 0.1
  done
  [ ! -e data/postmaster.pid ] || kill -KILL "$pid" 2>/dev/null
fi
cd /
tries=0
while [ -e "$1" ] && [ $tries -lt 50 ]; do
  rm -rf -- "$1"
  tries=$((tries + 1))
  [ ! -e "$1" ] || sleep 0.1
done
`;

/**
 * Guards the folder of an ephemeral server: once this process has died, killed or not, its server is stopped
 * and the folder removed. The guard is in a session of its own, deaf to what the terminal sends, holds none
 * of our streams but the pipe it listens to, and does not keep us alive.
 */
export function guardFolder(folder: string): Guard {
  const guard = spawn('/bin/sh', ['-c', script, 'tillbox-guard', folder], {
    cwd: '/',
    env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  guard.on('error', () => undefined); // Without a guard only the cleaning up after a kill is lost.
  guard.stdin.on('error', () => undefined);
  guard.unref();
  (guard.stdin as unknown as { unref(): void }).unref();
  return {
    dismiss: () => {
      if (guard.stdin.writable) guard.stdin.end('dismissed\n');
    },
    cleanUp: () => {
      if (guard.stdin.writable) guard.stdin.end();
    },
  };
}
