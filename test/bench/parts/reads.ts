import { Pool } from 'undici';
import type { Figure } from '../figures.ts';
import { seededUser } from '../seed.ts';
import { percentile } from '../statistics.ts';
import type { SystemUnderTest } from '../system-under-test.ts';

/** Requests of each kind, one after another; a p99 of a thousand means ten. */
const requests = 1_000;

/** How long it takes through the gateway to list a user's orders, and to read one of them. */
export async function measureReads(system: SystemUnderTest, users: number): Promise<Figure[]> {
  const pool = new Pool(system.url, { connections: 1 });
  const listMs: number[] = [];
  const readMs: number[] = [];
  const get = async (path: string, times: number[]) => {
    const since = performance.now();
    const answer = await pool.request({ method: 'GET', path });
    const body = await answer.body.json();
    if (answer.statusCode !== 200) throw new Error(`${path} was answered with ${answer.statusCode}`);
    times.push(performance.now() - since);
    return body;
  };
  try {
    for (let index = 0; index < requests; index += 1) {
      const user = seededUser(Math.floor(Math.random() * users));
      const { orders } = (await get(`/orders?user_id=${user}`, listMs)) as { orders: { id: string }[] };
      const order = orders[Math.floor(Math.random() * orders.length)];
      if (order !== undefined) await get(`/orders/${order.id}`, readMs);
    }
  } finally {
    await pool.close();
  }
  return [
    { name: "list a user's orders, p50", value: percentile(listMs, 0.5), unit: 'ms' },
    { name: "list a user's orders, p99", value: percentile(listMs, 0.99), unit: 'ms', goal: '≤ 5' },
    { name: 'read an order, p50', value: percentile(readMs, 0.5), unit: 'ms' },
    { name: 'read an order, p99', value: percentile(readMs, 0.99), unit: 'ms', goal: '≤ 5' },
  ];
}
