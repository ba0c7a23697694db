import { readFileSync } from 'node:fs';
import { PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';
import { expect } from 'chai';
import { v7 as uuidV7 } from 'uuid';
import { parse } from 'yaml';
import { observeService } from '../../../src/messaging/gauges.ts';
import { MeteredInstruments } from '../../../src/messaging/instruments.ts';
import { toCloudEvent } from '../../../src/messaging/messages.ts';
import type { Database } from '../../../src/platform/database.ts';
import { createHttpServer } from '../../../src/platform/http-server.ts';
import { measureRequests } from '../../../src/platform/telemetry/http-metrics.ts';
import { observeProcess } from '../../../src/platform/telemetry/process-metrics.ts';
import { eventually } from '../../support/eventually.ts';
import { metricsIn } from '../../support/promql.ts';
import { seriesIn } from '../../support/scrape.ts';
import { silentLog } from '../../support/test-server.ts';

class PullReader extends MetricReader {
  protected async onShutdown() {}
  protected async onForceFlush() {}
}

/** What Prometheus itself adds to each series, and to each scrape. */
const targetLabels = ['job', 'le', 'service_name', 'service_instance_id'];
const documents = new URL('../../../docs/metrics/', import.meta.url);
const textOf = (name: string) => readFileSync(new URL(name, documents), 'utf8');

interface Rule {
  alert: string;
  expr: string;
  labels: { severity: string };
  annotations: Record<'summary' | 'reason' | 'action', string>;
}
const rules: Rule[] = parse(textOf('alerts.yaml')).groups.flatMap(({ rules }: { rules: Rule[] }) => rules);

interface Panel {
  title: string;
  targets: { expr: string }[];
}
const panels: Panel[] = JSON.parse(textOf('dashboard.json')).panels;

describe('the dashboard and the alert rules', () => {
  /** The labels of each metric as daemons export them, when everything that can happen has happened. */
  const exported = new Map<string, Set<string>>();

  before(async () => {
    const reader = new PullReader();
    const provider = new MeterProvider({ readers: [reader] });
    const meter = provider.getMeter('test');
    const unobserve = observeProcess(meter);
    everythingHappens(new MeteredInstruments(meter));
    const place = { name: 'orders-outbox', rows: 1n, messages: 1n, span: 1n, oldest_s: 1 };
    observeService(meter, {
      name: 'orders',
      database: {
        connections: { used: 1, idle: 1, wanted: 0 },
        query: async () => [place],
      } as unknown as Database,
      broker: {
        jobsIn: async () => ({ ready: 0, deferred: 0, active: 0, failed: 0 }),
        connections: { used: 0, idle: 1, wanted: 0 },
      },
      queue: 'payment-results',
      isReady: () => true,
    });
    const app = createHttpServer({ log: silentLog, bodies: 'json' });
    measureRequests(app, meter);
    await app.inject('/livez');
    await eventually(async () => {
      const { resourceMetrics } = await reader.collect();
      for (const { name, labels } of seriesIn(new PrometheusSerializer().serialize(resourceMetrics))) {
        const known = exported.get(name) ?? new Set();
        for (const label of Object.keys(labels)) known.add(label);
        exported.set(name, known);
      }
      // A loop that has not turned yet has no delay.
      expect(exported.has('nodejs_eventloop_delay_p99')).to.equal(true);
    });
    unobserve();
    await app.close();
    await provider.shutdown();
  });

  function everythingHappens(instruments: MeteredInstruments): void {
    const orderId = uuidV7();
    const result = { type: 'payment.failed.v1', orderId, userId: 'anna', amount: 1n } as const;
    const message = toCloudEvent({ ...result, reason: 'ACCOUNT_NOT_FOUND' });
    const letter = { detail: '', queue: 'payment-results', jobId: '', message: {} } as const;
    const begunAt = Date.now();
    const outcome = {
      begunAt,
      duplicates: 1,
      deadLetters: [{ ...letter, reason: 'unknown-order' as const }],
    };
    instruments.created(1, 0.1);
    instruments.settled([{ message, jobId: 'job', publishedAt: new Date() }], {
      ...outcome,
      settled: new Set([orderId]),
    });
    instruments.swept(1);
    instruments.retried('sweep');
  }

  const queries = [
    ...rules.map(({ alert, expr }) => ({ where: alert, expr })),
    ...panels.flatMap(({ title, targets }) => targets.map(({ expr }) => ({ where: title, expr }))),
  ];

  it('are PromQL: what is none, or asks for a rate of a single value, is refused by this very test', () => {
    for (const { where, expr } of queries) expect(() => metricsIn(expr), where).not.to.throw();
    expect(() => metricsIn('sum(rate(tillbox_orders_accepted_total[5m])) >')).to.throw('a mistake at');
    expect(() => metricsIn('sum by (queue (tillbox_queue_depth)')).to.throw('a mistake at');
    expect(() => metricsIn('rate(tillbox_orders_accepted_total)')).to.throw('rate without a range');
    expect(metricsIn('max by (queue) (tillbox_queue_jobs{state="ready"}) > 1')).to.deep.equal([
      { name: 'tillbox_queue_jobs', labels: ['state', 'queue'] },
    ]);
  });

  it('name only metrics that the daemons export, and labels these have', () => {
    const asked = queries.flatMap(({ where, expr }) =>
      metricsIn(expr).map((metric) => ({ where, ...metric })),
    );
    const unknown = asked
      // What Prometheus says itself of each target.
      .filter(({ name }) => name !== 'up' && !exported.has(name))
      .map(({ where, name }) => `${where}: ${name}`);
    expect(unknown).to.deep.equal([]);
    const without = asked.flatMap(({ where, name, labels }) =>
      labels
        .filter((label) => !targetLabels.includes(label) && !exported.get(name)?.has(label))
        .map((label) => `${where}: ${name} has no ${label}`),
    );
    expect(without).to.deep.equal([]);
    expect(asked.length).to.be.above(rules.length);
  });

  it('leave nothing of ours out: each metric stands in the dashboard', () => {
    const shown = panels.flatMap(({ targets }) => targets.flatMap(({ expr }) => metricsIn(expr)));
    const ours = [...exported.keys()].filter((name) => name.startsWith('tillbox_'));
    const names = new Set(ours.map((name) => name.replace(/_(count|sum|bucket)$/, '')));
    const missing = [...names].filter((name) => !shown.some((metric) => metric.name.startsWith(name)));
    expect(missing).to.deep.equal([]);
  });

  it('say for each alert what it means, why its threshold stands there, and what to do', () => {
    for (const { alert, annotations, labels } of rules) {
      expect(alert).to.match(/^Tillbox[A-Z]/);
      expect(labels.severity).to.be.oneOf(['page', 'ticket']);
      for (const key of ['summary', 'reason', 'action'] as const) {
        expect(annotations[key], `${alert} ${key}`).to.be.a('string').and.not.empty;
      }
    }
  });

  it('are told of in docs/metrics.md, as is every metric', () => {
    const page = readFileSync(new URL('../metrics.md', documents), 'utf8');
    const names = [...exported.keys()].map((name) => name.replace(/_(count|sum|bucket)$/, ''));
    const missing = [...new Set(names)].filter(
      (name) => name !== 'target_info' && !page.includes(`\`${name}\``),
    );
    expect(missing).to.deep.equal([]);
    for (const { alert } of rules) expect(page).to.contain(alert);
  });

  it('have what to do for each alert in docs/operating.md, and how urgent it is', () => {
    const page = readFileSync(new URL('../operating.md', documents), 'utf8');
    const listed = [...page.matchAll(/^\| (Tillbox\w+) \| (\w+) \| \S.{20,}\|$/gm)];
    expect(listed.map(([, alert, severity]) => `${alert} ${severity}`)).to.have.members(
      rules.map(({ alert, labels }) => `${alert} ${labels.severity}`),
    );
  });
});
