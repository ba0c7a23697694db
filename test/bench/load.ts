import net from 'node:net';

/** Drives `POST /orders` of tillbox, and of the programs it is compared with, in the same way. */

/** What is sent, and how. */
export interface Load {
  /** Where `POST /orders` is. */
  url: string;
  /** Orders take turns among these users, at random. */
  user(): string;
  /** A closed loop of so many requests in flight, or an open one of so many a second. */
  pace: { clients: number } | { perSecond: number };
  /** Ends after so many seconds, or orders. */
  until: { seconds: number } | { orders: number };
}

/** What the clients were told. */
export interface Driven {
  accepted: number;
  /** Not answered, or not with 201. */
  errors: number;
  seconds: number;
  /** From sending (open loop: from the planned time) to 201, in ms. */
  acceptMs: number[];
  /** CPU time this process took meanwhile, in µs: the generator's. */
  cpuMicros: number;
}

export async function drive(load: Load): Promise<Driven> {
  const { hostname, port } = new URL(load.url);
  const acceptMs: number[] = [];
  let errors = 0;
  let sent = 0;
  const idle: net.Socket[] = [];
  const all: net.Socket[] = [];
  const open = () =>
    new Promise<net.Socket>((resolve) => {
      const socket = net.connect({ host: hostname, port: Number(port) }, () => resolve(socket));
      socket.setNoDelay(true);
      socket.on('error', () => {});
      all.push(socket);
    });
  const post = (socket: net.Socket, since: number) =>
    new Promise<void>((resolve) => {
      sent += 1;
      const body = `{"user_id":"${load.user()}","amount":"1.00","description":"two tickets"}`;
      socket.once('data', (data) => {
        if (data.toString('latin1', 9, 12) === '201') acceptMs.push(performance.now() - since);
        else errors += 1;
        resolve();
      });
      socket.write(
        `POST /orders HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      );
    });
  const cpu = process.cpuUsage();
  const startedAt = performance.now();
  const { until } = load;
  const isOver = () =>
    'orders' in until ? sent >= until.orders : performance.now() - startedAt >= until.seconds * 1_000;
  if ('clients' in load.pace) {
    const clients = await Promise.all(Array.from({ length: load.pace.clients }, open));
    await Promise.all(
      clients.map(async (socket) => {
        while (!isOver()) await post(socket, performance.now());
      }),
    );
  } else {
    const { perSecond } = load.pace;
    const under = new Set<Promise<void>>();
    while (!isOver()) {
      const due = ((performance.now() - startedAt) / 1_000) * perSecond;
      while (sent < due && !isOver()) {
        const planned = startedAt + (sent * 1_000) / perSecond;
        const socket = idle.pop() ?? (await open());
        const one = post(socket, planned).then(() => {
          idle.push(socket);
          under.delete(one);
        });
        under.add(one);
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await Promise.all(under);
  }
  const seconds = (performance.now() - startedAt) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  for (const socket of all) socket.destroy();
  return { accepted: acceptMs.length, errors, seconds, acceptMs, cpuMicros: user + system };
}
