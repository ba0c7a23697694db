import { expect } from 'chai';
import { FollowedTrace } from '../../../src/cli/terminal/followed-trace.ts';
import { plainPaint } from '../../../src/cli/terminal/paint.ts';
import { formatTrace } from '../../../src/cli/terminal/trace-text.ts';
import type { TraceDocument, TraceStep } from '../../../src/tools/trace/trace-document.ts';

const orderId = '0199f0a4-5f6b-7c3e-9d2a-3b1f0c8e7d65';
const hostile = '\u001b[2J\u202e';
const steps: TraceStep[] = [
  {
    step: 'created',
    number: 1,
    service: 'orders',
    at: '2026-01-31T12:00:00.123Z',
    ms: null,
    detail: '49.90 of alice',
  },
  {
    step: 'published',
    number: 2,
    service: 'orders',
    at: null,
    ms: null,
    detail: 'no longer recorded',
  },
  {
    step: 'dead-letter',
    number: null,
    service: 'payments',
    at: '2026-01-31T12:00:00.200Z',
    ms: 77,
    detail: `invalid-message: ${hostile} ${'words and more words '.repeat(8).trim()}`,
  },
];
const document: TraceDocument = {
  at: '2026-01-31T12:01:00.000Z',
  order: {
    id: orderId,
    user_id: 'alice',
    amount: '49.90',
    status: 'NEW',
    reason: null,
    created_at: '2026-01-31T12:00:00.123Z',
    settled_at: null,
  },
  order_id: orderId,
  final: false,
  total_ms: null,
  steps,
  duplicates: 0,
  standing: {
    next_step: 'received',
    number: 3,
    service: 'payments',
    place: 'dead-letters',
    detail: 'its message is a dead letter',
    since: '2026-01-31T12:00:00.200Z',
    waiting_s: 59.8,
    reasons: [
      { reason: 'refused', detail: `invalid-message: ${hostile}`, since: '2026-01-31T12:00:00.200Z' },
    ],
    commands: [`tillbox dead-letters redrive ${orderId}`],
  },
  notes: ['The clock of the payments database is 2.0 s ahead of that of the orders database.'],
  away: [],
};

describe('the text of a trace', () => {
  for (const columns of [40, 80, 200, undefined]) {
    it(`keeps within ${columns ?? 'any number of'} columns but for ids and commands, and breaks neither`, () => {
      const lines = formatTrace(document, { paint: plainPaint, columns }).split('\n');
      const long = lines.filter((line) => line.length > (columns ?? Number.POSITIVE_INFINITY));
      expect(long.filter((line) => !line.includes('redrive'))).to.deep.equal([]);
      expect(lines.join('\n')).to.contain(`tillbox dead-letters redrive ${orderId}`);
      expect(lines.join('')).to.not.match(/[\u0000-\u001f\u202e]/);
      expect(lines.join('\n')).to.contain('\\u{1b}[2J');
    });
  }

  it('is a table in columns', () => {
    const lines = formatTrace(document, { paint: plainPaint, columns: 80 }).split('\n');
    const heading = lines.find((line) => line.includes('STEP')) ?? '';
    const row = lines.find((line) => line.includes('dead-letter ')) ?? '';
    expect(row.indexOf('payments')).to.equal(heading.indexOf('SERVICE'));
    expect(row.indexOf('invalid-message')).to.equal(heading.indexOf('WHAT'));
    expect(row).to.contain('77.0');
    expect(lines.find((line) => line.includes('no longer recorded'))).to.match(/2 published +orders +- /);
  });
});

describe('a trace that is followed', () => {
  const page = { paint: plainPaint, columns: 100 };

  it('prints each thing that happened once, and where it stands when that changes', () => {
    const followed = new FollowedTrace(page);
    const first = followed.news({ ...document, steps: steps.slice(0, 1) }) ?? '';
    expect(first).to.contain('STEP').and.contain('1 created').and.contain('Waits');
    expect(followed.news({ ...document, steps: steps.slice(0, 1) })).to.equal(undefined);
    const next = followed.news(document) ?? '';
    expect(next).to.contain('2 published').and.not.contain('1 created').and.not.contain('STEP');
    expect(next).to.not.contain('Waits');
    const order = { ...document.order, status: 'FINISHED' } as TraceDocument['order'];
    const last = followed.news({ ...document, order, final: true, standing: null, total_ms: 27.3 }) ?? '';
    expect(last).to.contain('FINISHED after 27.3 ms');
  });
});
