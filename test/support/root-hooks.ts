import { fileURLToPath } from 'node:url';
import { startTestServerForAll, stopTestServer } from './test-server.ts';

/** Hundreds of commands and daemons are started: each need not compile the same files again. */
process.env['NODE_COMPILE_CACHE'] ??= fileURLToPath(
  new URL('../../node_modules/.cache/tillbox-test', import.meta.url),
);

/** In a parallel run the server is started once, for all its processes; else by the first test that needs it. */
export async function mochaGlobalSetup(): Promise<void> {
  if (process.argv.includes('--parallel')) await startTestServerForAll();
}

export async function mochaGlobalTeardown(): Promise<void> {
  await stopTestServer();
}
