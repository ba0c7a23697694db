import { connect, createServer, type Server, type Socket } from 'node:net';

/** Which way bytes travel: from the client to the server, or back. */
export type Direction = 'up' | 'down';

/** What a link does to what passes through it. */
export interface Weather {
  /** Milliseconds each chunk is late, in either direction. */
  delayMs: number;
  /** Directions in which bytes vanish. They do not come later: what was lost is lost. */
  swallow: readonly Direction[];
  /** New connections are closed at once. */
  refuse: boolean;
}

/** What a server gets to do a statement whose answer is lost. */
const answerLostMs = 200;

/** The answer that is to be lost. */
interface Cut {
  pattern: Buffer;
  after: Buffer | undefined;
  /** Connections that have sent `after`. */
  armed: WeakSet<Socket>;
  struck: () => void;
}

const fair: Weather = { delayMs: 0, swallow: [], refuse: false };

/**
 * A TCP link on loopback that can be cut, delayed and made to lose what passes, in the way of toxiproxy. It
 * listens on a free port and passes everything on to one address.
 */
export class TcpLink {
  readonly #target: { host: string; port: number };
  readonly #pairs = new Set<{ client: Socket; server: Socket }>();
  #listener: Server | undefined;
  #weather: Weather = fair;
  /** Connections and chunks that this weather has kept out, swallowed or delayed. */
  #harmed = 0;
  #cut: Cut | undefined;

  constructor(target: { host: string; port: number }) {
    this.#target = target;
  }

  /** Begins to listen; answers the port. */
  start(): Promise<number> {
    return new Promise((resolve, reject) => {
      const listener = createServer((client) => this.#join(client));
      this.#listener = listener;
      listener.once('error', reject);
      listener.listen({ host: '127.0.0.1', port: 0 }, () => {
        const address = listener.address();
        resolve(typeof address === 'object' && address !== null ? address.port : 0);
      });
    });
  }

  /** Sets the weather; what is left out is fair. */
  set(weather: Partial<Weather>): void {
    this.#weather = { ...fair, ...weather };
    this.#harmed = 0;
  }

  /** How many connections and chunks have felt the weather since it was set. */
  get harmed(): number {
    return this.#harmed;
  }

  /** Makes the link as good as new for what comes from now on. */
  heal(): void {
    this.#weather = fair;
    this.#cut = undefined;
  }

  /** Resets every connection there is; answers how many. */
  reset(): number {
    const count = this.#pairs.size;
    for (const { client, server } of this.#pairs) {
      client.resetAndDestroy();
      server.resetAndDestroy();
    }
    return count;
  }

  /**
   * Passes the next bytes from a client that contain the text on to the server, and then resets the client's
   * connection before an answer comes back: what was asked takes effect, and nobody is told. Once; resolves
   * when it has happened.
   * @param options.after only on a connection that sent this text before, such as a statement of the
   *   transaction whose COMMIT is meant
   */
  loseAnswerTo(text: string, { after }: { after?: string } = {}): Promise<void> {
    return new Promise((struck) => {
      this.#cut = {
        pattern: Buffer.from(text),
        after: after === undefined ? undefined : Buffer.from(after),
        armed: new WeakSet(),
        struck,
      };
    });
  }

  async stop(): Promise<void> {
    const listener = this.#listener;
    this.#listener = undefined;
    for (const { client, server } of this.#pairs) {
      client.destroy();
      server.destroy();
    }
    if (listener !== undefined) await new Promise((resolve) => listener.close(resolve));
  }

  #join(client: Socket): void {
    client.on('error', () => {});
    if (this.#weather.refuse) {
      this.#harmed += 1;
      client.resetAndDestroy();
      return;
    }
    const server = connect(this.#target);
    const pair = { client, server };
    this.#pairs.add(pair);
    server.on('error', () => {});
    client.setNoDelay(true);
    server.setNoDelay(true);
    client.on('data', (chunk) => {
      this.#pass('up', chunk, server);
      if (this.#isCutAt(chunk, client)) this.#loseAnswer(pair);
    });
    server.on('data', (chunk) => this.#pass('down', chunk, client));
    const close = () => {
      client.destroy();
      if (this.#pairs.delete(pair)) server.destroy();
    };
    client.once('close', close);
    server.once('close', close);
  }

  #isCutAt(chunk: Buffer, client: Socket): boolean {
    const cut = this.#cut;
    if (cut === undefined) return false;
    const armed = cut.after === undefined || cut.armed.has(client);
    if (armed && chunk.includes(cut.pattern)) return true;
    if (cut.after !== undefined && chunk.includes(cut.after)) cut.armed.add(client);
    return false;
  }

  #loseAnswer(pair: { client: Socket; server: Socket }): void {
    this.#cut?.struck();
    this.#cut = undefined;
    // No pair any more: the server is left the time to do what it was asked.
    this.#pairs.delete(pair);
    pair.client.resetAndDestroy();
    setTimeout(() => pair.server.destroy(), answerLostMs).unref();
  }

  #pass(direction: Direction, chunk: Buffer, to: Socket): void {
    const { delayMs, swallow } = this.#weather;
    const isSwallowed = swallow.includes(direction);
    if (isSwallowed || delayMs > 0) this.#harmed += 1;
    if (isSwallowed) return;
    if (delayMs === 0) {
      to.write(chunk);
      return;
    }
    // All chunks are late by the same time, so they keep their order.
    setTimeout(() => {
      if (!to.destroyed) to.write(chunk);
    }, delayMs).unref();
  }
}
