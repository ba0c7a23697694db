import { startTestServerForAll, stopTestServer } from './test-server.ts';

/** In a parallel run the server is started once, for all its processes; else by the first test that needs it. */
export async function mochaGlobalSetup(): Promise<void> {
  if (process.argv.includes('--parallel')) await startTestServerForAll();
}

export async function mochaGlobalTeardown(): Promise<void> {
  await stopTestServer();
}
