import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

/** Opens connections, sends the same bytes on each, and stays; in a thread of its own, to be in nobody's way. */
const work = `
  const { connect } = require('node:net');
  const { parentPort, workerData: { host, port, count, bytes } } = require('node:worker_threads');
  let there = 0;
  let open = 0;
  const one = () => { if (++there === count) parentPort.postMessage(open); };
  for (let index = 0; index < count; index += 1) {
    const socket = connect(port, host);
    let counted = false;
    let connected = false;
    const arrive = () => { if (!counted) { counted = true; one(); } };
    socket.on('error', () => {});
    socket.once('connect', () => {
      connected = true;
      open += 1;
      if (bytes === '') arrive();
      else socket.write(bytes, arrive);
    });
    socket.once('close', () => { if (connected) open -= 1; arrive(); });
    socket.resume();
  }
`;

/** Occupies a server with so many connections; resolves with how many it holds then, and the way to end them. */
export async function occupy(
  url: string,
  count: number,
  bytes: string,
): Promise<{ open: number; leave: () => Promise<number> }> {
  const { hostname: host, port } = new URL(url);
  const workerData = { host, port: Number(port), count, bytes };
  const worker = new Worker(work, { eval: true, workerData, execArgv: [] });
  const [open] = (await once(worker, 'message')) as [number];
  return { open, leave: () => worker.terminate() };
}
