import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

/** Opens connections, sends the same bytes on each, and stays; in a thread of its own, to be in nobody's way. */
const work = `
  const { connect } = require('node:net');
  const { parentPort, workerData: { host, port, count, bytes } } = require('node:worker_threads');
  let there = 0;
  const one = () => { if (++there === count) parentPort.postMessage('there'); };
  for (let index = 0; index < count; index += 1) {
    const socket = connect(port, host);
    let counted = false;
    const arrive = () => { if (!counted) { counted = true; one(); } };
    socket.on('error', () => {});
    socket.once('connect', () => (bytes === '' ? arrive() : socket.write(bytes, arrive)));
    socket.once('close', arrive);
    socket.resume();
  }
`;

/** Occupies a server with so many connections; resolves with the way to end it. */
export async function occupy(url: string, count: number, bytes: string): Promise<() => Promise<number>> {
  const { hostname: host, port } = new URL(url);
  const workerData = { host, port: Number(port), count, bytes };
  const worker = new Worker(work, { eval: true, workerData, execArgv: [] });
  await once(worker, 'message');
  return () => worker.terminate();
}
