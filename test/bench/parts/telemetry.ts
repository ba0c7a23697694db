import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { BenchServer } from '../bench-server.ts';
import type { Figure } from '../figures.ts';
import { cpuMicros, cpuSince } from '../process-usage.ts';
import { seedAccounts } from '../seed.ts';
import { percentile } from '../statistics.ts';
import { SystemUnderTest } from '../system-under-test.ts';
import { driveAndSettle, type LoadSettings } from './under-load.ts';

/** What an order costs with the telemetry of each kind, against none. */

/** The daemons: what telemetry adds is theirs. */
const daemons = ['gateway', 'orders', 'payments'];

/** Environments of the systems that are compared with one that has no telemetry. The first tells what chance does. */
function variantsOf(collector: string): Record<string, Record<string, string>> {
  const traced = { OTEL_EXPORTER_OTLP_ENDPOINT: collector, OTEL_METRICS_EXPORTER: 'none' };
  const sampled = (ratio: string) => ({
    ...traced,
    OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
    OTEL_TRACES_SAMPLER_ARG: ratio,
  });
  return {
    'off too': {},
    metrics: { TILLBOX_METRICS_PORT: '0' },
    'traces, default': traced,
    'traces, one in ten': sampled('0.1'),
    'traces, all': sampled('1'),
  };
}

/** CPU time of an order in µs, by daemon. */
type Costs = ReadonlyMap<string, number>;

/**
 * Each kind beside a system without telemetry, both under the same load at the same time: whatever else goes on on the
 * machine meets both, while two loads one after the other would differ by that alone. Ratios within a round count.
 */
export async function measureTelemetry(
  server: BenchServer,
  rounds: number,
  settings: LoadSettings,
  tell: (text: string) => void,
): Promise<Figure[]> {
  const collector = await startSink();
  const figures: Figure[] = [];
  try {
    for (const [name, environment] of Object.entries(variantsOf(urlOf(collector)))) {
      tell(`telemetry: ${name}`);
      figures.push(...(await comparePair(server, { name, environment }, rounds, settings)));
    }
  } finally {
    collector.close();
  }
  return figures;
}

async function comparePair(
  server: BenchServer,
  { name, environment }: { name: string; environment: Record<string, string> },
  rounds: number,
  settings: LoadSettings,
): Promise<Figure[]> {
  const pair: SystemUnderTest[] = [];
  try {
    for (const variables of [{}, environment]) {
      const system = await SystemUnderTest.start(server, variables);
      pair.push(system);
      await seedAccounts(system.admin, settings.users);
    }
    // The first one is for getting warm.
    const measured: Costs[][] = [];
    for (let round = 0; round <= rounds; round += 1) {
      measured.push(await Promise.all(pair.map((system) => costsOf(system, settings))));
    }
    return figuresOf(name, measured.slice(1));
  } finally {
    for (const system of pair) await system.stop();
  }
}

async function costsOf(system: SystemUnderTest, { clients, users, seconds }: LoadSettings): Promise<Costs> {
  const watched = system.processes.filter(({ name }) => daemons.includes(name));
  const before = cpuMicros(watched);
  const outcome = await driveAndSettle(system, { pace: { clients }, until: { seconds } }, { users });
  const spent = cpuSince(before, watched);
  return new Map([...spent].map(([name, micros]) => [name, micros / outcome.times.orders]));
}

function figuresOf(name: string, measured: readonly Costs[][]): Figure[] {
  const sum = (costs: Costs = new Map()) => [...costs.values()].reduce((all, micros) => all + micros, 0);
  const median = (of: (round: Costs[]) => number) => percentile(measured.map(of), 0.5);
  const ratio = median(([off, on]) => sum(on) / sum(off));
  const part = (daemon: string): Figure => ({
    name: `${name}: to off, ${daemon}`,
    value: median(([off, on]) => (on?.get(daemon) ?? Number.NaN) / (off?.get(daemon) ?? Number.NaN)),
    unit: 'x',
  });
  return [
    { name: `${name}: CPU an order, daemons`, value: median(([, on]) => sum(on)), unit: 'µs' },
    { name: `${name}: CPU an order without`, value: median(([off]) => sum(off)), unit: 'µs' },
    { name: `${name}: to off`, value: ratio, unit: 'x', headline: true },
    ...daemons.map(part),
  ];
}

/** A collector that takes everything and keeps nothing. */
async function startSink(): Promise<Server> {
  const sink = createServer((request, response) => {
    request.resume().on('end', () => response.setHeader('content-type', 'application/json').end('{}'));
  });
  await new Promise<void>((resolve) => sink.listen(0, '127.0.0.1', resolve));
  return sink;
}

const urlOf = (server: Server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
