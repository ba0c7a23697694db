import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { type Cell, Lane } from './lane.ts';
import { boundariesOf, moments, type Service, unlisted } from './statements.ts';

const services: Service[] = ['orders', 'payments'];
/** Systems that run beside each other: a crash is mostly waiting. */
const lanesOf: Record<Service, number> = { orders: 2, payments: 3 };

/** Of what broke in a cell; all of it is in the failure. */
const sentencesShown = 3;

/** A part of the grid, by a pattern of `service step: statement`: for looking into a failure. */
const only = new RegExp(process.env['CRASH_ONLY'] ?? '');

describe('kill -9 at every boundary', () => {
  const cells = services
    .flatMap((service) => boundariesOf(service))
    .filter(({ service, label }) => only.test(`${service} ${label}`))
    .flatMap((boundary, row) =>
      moments.map((moment): Cell => ({ id: `c${row}${moment.at(0)}`, boundary, moment })),
    );
  const wrong = new Map<string, string[]>();
  const seen: Record<Service, Set<string>> = { orders: new Set(), payments: new Set() };
  const home = mkdtempSync(join(tmpdir(), 'tillbox-crash-'));
  const lanes: Lane[] = [];

  before(async function () {
    // A minute or two of computing, most of it starts of daemons; the machine may be busy with other things.
    this.timeout(600_000);
    const startedAt = performance.now();
    const environment = { ...process.env, TILLBOX_HOME: home, NODE_COMPILE_CACHE: join(home, 'cache') };
    const work: { lane: Lane; cells: Cell[] }[] = [];
    for (const service of services) {
      const own = cells.filter(({ boundary }) => boundary.service === service);
      for (let number = 0; number < lanesOf[service]; number += 1) {
        const part = own.filter((_cell, index) => index % lanesOf[service] === number);
        if (part.length === 0) continue;
        const lane = await Lane.create(environment);
        lanes.push(lane);
        work.push({ lane, cells: part });
      }
    }
    const ends = await Promise.allSettled(
      work.map(async (part, number) => {
        for (const [cell, sentences] of await part.lane.run(part.cells)) {
          wrong.set(cell === 'lane' ? `lane ${number}` : cell, sentences);
        }
        for (const service of services) {
          for (const label of part.lane.seen(service)) seen[service].add(label);
        }
      }),
    );
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
    const seconds = Math.round((performance.now() - startedAt) / 1_000);
    console.log(`${grid(cells, wrong)}\n    ${cells.length} deaths in ${seconds} s`);
    console.log('    A cell breaks by its own death or by a later one while its work is on its way:');
    console.log("    look at one alone with CRASH_ONLY='orders settle-orders: commit'.\n");
  });

  after(async () => {
    for (const lane of lanes) await lane.drop();
    rmSync(home, { recursive: true, force: true });
  });

  for (const service of services) {
    it(`knows every statement that ${service} sends`, () => {
      const added = unlisted(service, seen[service]);
      const gone = boundariesOf(service)
        .map(({ label }) => label)
        .filter((label) => only.test(`${service} ${label}`) && !seen[service].has(label));
      expect(
        added,
        `statements.ts does not list what ${service} sends: ${added.join('; ')}. Add each to its step, so that it is died at, or to the harmless ones`,
      ).to.deep.equal([]);
      expect(
        gone,
        `statements.ts lists what ${service} does not send: ${gone.join('; ')}. Remove each, or let the scenario reach it`,
      ).to.deep.equal([]);
    });
  }

  it('loses nothing and does nothing twice, whatever it dies before or after', () => {
    const broken = [...wrong].filter(([, sentences]) => sentences.length > 0);
    expect(Object.fromEntries(broken)).to.deep.equal({});
  });
});

/** The grid as text: a row a boundary, a mark a moment, and what broke. */
function grid(cells: readonly Cell[], wrong: ReadonlyMap<string, readonly string[]>): string {
  const lines: string[] = ['', `    ${'boundary'.padEnd(62)}${moments.map((m) => m.padEnd(8)).join('')}`];
  let title = '';
  for (let row = 0; row < cells.length; row += moments.length) {
    const ofRow = cells.slice(row, row + moments.length);
    const { boundary } = ofRow[0] as Cell;
    const heading = `${boundary.service}: ${boundary.title}`;
    const first = heading === title ? '' : heading;
    title = heading;
    const marks = ofRow.map(({ id }) => {
      const sentences = wrong.get(id);
      return (sentences === undefined ? '?' : sentences.length === 0 ? '✔' : '✘').padEnd(8);
    });
    lines.push(
      `    ${first.padEnd(24)}${boundary.label.replace(/^[^:]*: /, '').padEnd(38)}${marks.join('')}`.trimEnd(),
    );
    for (const { id, moment } of ofRow) {
      const sentences = wrong.get(id) ?? [];
      for (const sentence of sentences.slice(0, sentencesShown)) lines.push(`        ${moment}: ${sentence}`);
      const more = sentences.length - sentencesShown;
      if (more > 0) lines.push(`        ${moment}: and ${more} more`);
    }
  }
  for (const [name, sentences] of wrong) {
    if (name.startsWith('lane')) for (const sentence of sentences) lines.push(`    ${name}: ${sentence}`);
  }
  return `${lines.join('\n')}\n`;
}
