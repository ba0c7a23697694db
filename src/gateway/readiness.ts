import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Door } from './door.ts';
import type { Upstreams } from './upstreams.ts';

/** The instances of each service, as they are. */
type Instances = Record<'orders' | 'payments', { url: string; pid: number | null; ready: boolean }[]>;

const instancesSchema = {
  type: 'array',
  description: 'told to operators alone',
  items: {
    type: 'object',
    required: ['url', 'pid', 'ready'],
    properties: {
      url: { type: 'string' },
      pid: { type: ['integer', 'null'], description: 'null while it gives no answer' },
      ready: { type: 'boolean' },
    },
  },
} as const;

/** JSON Schema of the answer. */
export const readinessSchema = {
  title: 'Readiness',
  type: 'object',
  required: ['ready', 'service'],
  properties: {
    ready: { type: 'boolean' },
    service: { const: 'gateway' },
    pid: { type: 'integer', description: 'told to operators alone' },
    orders: instancesSchema,
    payments: instancesSchema,
  },
} as const;

/** Answers whether the gateway is ready: when each service has an instance that is. */
export class Readiness {
  readonly #upstreams: Record<'orders' | 'payments', Upstreams>;
  readonly #door: Door;
  /** What is asked of the services just now, for all who want to know it. */
  #asking: Promise<Instances> | undefined;

  constructor(options: { upstreams: Record<'orders' | 'payments', Upstreams>; door: Door }) {
    this.#upstreams = options.upstreams;
    this.#door = options.door;
  }

  /** Answers a request. Which instances there are is told to who may see everything. */
  async answer(request: FastifyRequest, reply: FastifyReply) {
    const [instances, principal] = await Promise.all([
      this.#instances(),
      this.#door.whoAsks(request.raw, performance.now()),
    ]);
    const ready = isReady(instances);
    reply.code(ready ? 200 : 503);
    if (!ready) reply.header('retry-after', 1);
    const about = { ready, service: 'gateway' };
    return principal?.scope === 'operator' ? { ...about, pid: process.pid, ...instances } : about;
  }

  /** For who measures it. */
  async isReady(): Promise<boolean> {
    return isReady(await this.#instances());
  }

  /** However many want to know: the services are asked by one of them at a time. */
  #instances(): Promise<Instances> {
    this.#asking ??= this.#askInstances();
    return this.#asking;
  }

  async #askInstances(): Promise<Instances> {
    try {
      const [orders, payments] = await Promise.all([
        this.#instancesOf('orders'),
        this.#instancesOf('payments'),
      ]);
      return { orders, payments };
    } finally {
      this.#asking = undefined;
    }
  }

  async #instancesOf(service: 'orders' | 'payments') {
    const answers = await this.#upstreams[service].askAll('/readyz');
    return answers.map(({ url, answer }) => {
      const { ready, pid } = (answer ?? {}) as { ready?: unknown; pid?: unknown };
      return { url, pid: typeof pid === 'number' ? pid : null, ready: ready === true };
    });
  }
}

function isReady(instances: Instances): boolean {
  return Object.values(instances).every((some) => some.some((instance) => instance.ready));
}
