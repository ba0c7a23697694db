import { stopTestServer } from './test-server.ts';

/** The server that component tests share is started by the first that needs it, and stopped here. */
export async function mochaGlobalTeardown(): Promise<void> {
  await stopTestServer();
}
