import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { BenchServer } from '../bench-server.ts';
import type { Figure } from '../figures.ts';
import { cpuMicros, cpuSince } from '../process-usage.ts';
import { seedAccounts } from '../seed.ts';
import { percentile } from '../statistics.ts';
import { SystemUnderTest } from '../system-under-test.ts';
import { driveAndSettle, type LoadSettings, settledPerSecond, warmUp } from './under-load.ts';

/** What an order costs with the telemetry of each kind, against none. */

/** The daemons: what telemetry adds is theirs. */
const daemons = ['gateway', 'orders', 'payments'];

/** Environments of systems that differ in nothing else, the first without telemetry. */
const variantsOf = (collector: string): Record<string, Record<string, string>> => {
  const traced = { OTEL_EXPORTER_OTLP_ENDPOINT: collector, OTEL_METRICS_EXPORTER: 'none' };
  const sampled = (ratio: string) => ({
    ...traced,
    OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
    OTEL_TRACES_SAMPLER_ARG: ratio,
  });
  return {
    off: {},
    metrics: { TILLBOX_METRICS_PORT: '0' },
    'traces, default': traced,
    'traces, one in ten': sampled('0.1'),
    'traces, all': sampled('1'),
  };
};

interface Round {
  /** µs an order, by process. */
  micros: Map<string, number>;
  perSecond: number;
}

/**
 * The same load on systems that run side by side, one after the other and in another order each round, so that what
 * the machine's neighbours do meets all of them. Figures are ratios within a round: the median of all rounds counts.
 */
export async function measureTelemetry(
  server: BenchServer,
  rounds: number,
  settings: LoadSettings,
  tell: (text: string) => void,
): Promise<Figure[]> {
  const collector = await startSink();
  const variants = Object.entries(variantsOf(urlOf(collector)));
  const systems: { name: string; system: SystemUnderTest; measured: Round[] }[] = [];
  try {
    for (const [name, environment] of variants) {
      const system = await SystemUnderTest.start(server, environment);
      systems.push({ name, system, measured: [] });
      await seedAccounts(system.admin, settings.users);
      await warmUp(system, settings);
    }
    for (let round = 0; round < rounds; round += 1) {
      tell(`telemetry: round ${round + 1} of ${rounds}`);
      const from = round % systems.length;
      for (const one of [...systems.slice(from), ...systems.slice(0, from)]) {
        one.measured.push(await measureRound(one.system, settings));
      }
    }
    const off = systems[0]?.measured ?? [];
    return systems.flatMap(({ name, measured }) => figuresOf(name, measured, off));
  } finally {
    for (const { system } of systems) await system.stop();
    collector.close();
  }
}

async function measureRound(
  system: SystemUnderTest,
  { clients, users, seconds }: LoadSettings,
): Promise<Round> {
  const before = cpuMicros(system.processes);
  const outcome = await driveAndSettle(system, { pace: { clients }, until: { seconds } }, { users });
  const { orders } = outcome.times;
  const micros = [...cpuSince(before, system.processes)].map(
    ([name, spent]) => [name, spent / orders] as const,
  );
  return { micros: new Map(micros), perSecond: settledPerSecond(outcome) };
}

function figuresOf(name: string, measured: readonly Round[], off: readonly Round[]): Figure[] {
  const ofDaemons = ({ micros }: Round) =>
    daemons.reduce((sum, daemon) => sum + (micros.get(daemon) ?? 0), 0);
  const ofAll = ({ micros }: Round) => [...micros.values()].reduce((sum, spent) => sum + spent, 0);
  const ratio = (of: (round: Round) => number) =>
    percentile(
      measured.map((round, index) => of(round) / of(off[index] ?? round)),
      0.5,
    );
  const median = (of: (round: Round) => number) => percentile(measured.map(of), 0.5);
  return [
    { name: `${name}: CPU an order, daemons`, value: median(ofDaemons), unit: 'µs', headline: true },
    { name: `${name}: to off`, value: ratio(ofDaemons), unit: 'x', headline: true },
    { name: `${name}: CPU an order, Postgres too, to off`, value: ratio(ofAll), unit: 'x', headline: true },
    { name: `${name}: orders settled, to off`, value: ratio(({ perSecond }) => perSecond), unit: 'x' },
    ...daemons.map(
      (daemon): Figure => ({
        name: `${name}: CPU an order, ${daemon}`,
        value: median(({ micros }) => micros.get(daemon) ?? Number.NaN),
        unit: 'µs',
      }),
    ),
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
