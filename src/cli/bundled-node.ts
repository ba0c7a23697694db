import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Where npm puts the package `node`, seen from the executable: in sources, compiled, installed elsewhere. */
const candidates = ['../', '../../', '../../../'].map((up) => `${up}node_modules/node/bin/node`);

/**
 * Runs the executable again with the Node that comes with the package, and ends as that one ends. Without
 * one it says which Node is needed and exits 1. Runs on old Nodes: imports nothing of ours.
 */
export function runWithBundledNode(executable: string): void {
  const paths = candidates.map((path) => fileURLToPath(new URL(path, executable)));
  const node = paths.find((path) => existsSync(path));
  if (node === undefined) {
    process.stderr.write(
      `tillbox needs Node 22.12 or newer; this is ${process.version}. Install a newer one from https://nodejs.org and run it again.\n`,
    );
    process.exitCode = 1;
    return;
  }
  const child = spawn(node, [fileURLToPath(executable), ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
  // A terminal sends its Ctrl-C to both processes; a signal from elsewhere reaches this one alone.
  process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'));
  child.on('error', (error) => {
    process.stderr.write(`tillbox: ${node} cannot be run (${error.message}). Install Node 22.12 or newer.\n`);
    process.exitCode = 1;
  });
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}
