import { expect } from 'chai';
import { v7 as uuidV7 } from 'uuid';
import { refusalFields } from '../../../src/messaging/dead-letters.ts';
import { CodedError } from '../../../src/platform/errors.ts';
import { refusalOf } from '../../../src/platform/http-problems.ts';
import type { LogLevel } from '../../../src/platform/log-levels.ts';
import { createLogger } from '../../../src/platform/logging.ts';

describe('logs', () => {
  /** What is written to standard error meanwhile, line by line. */
  function linesOf(work: () => void): Record<string, unknown>[] {
    const { write } = process.stderr;
    let text = '';
    process.stderr.write = ((chunk: string) => {
      text += chunk;
      return true;
    }) as typeof write;
    try {
      work();
    } finally {
      process.stderr.write = write;
    }
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
  }

  const traceId = 'a'.repeat(32);
  const traceparent = `00-${traceId}-${'b'.repeat(16)}-01`;

  it('are JSON lines on standard error that say when, how grave, which service and which instance', () => {
    const [line] = linesOf(() => createLogger('orders', 'info', 'orders-2').info({ orders: 3 }, 'swept'));
    expect(line).to.include({
      level: 'info',
      service: 'orders',
      instance: 'orders-2',
      msg: 'swept',
      orders: 3,
    });
    expect(line?.['time']).to.match(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    expect(line?.['pid']).to.equal(process.pid);
  });

  it('leave out what is below the level', () => {
    const written = (level: LogLevel) =>
      linesOf(() => {
        const log = createLogger('orders', level);
        for (const name of ['fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const) log[name](name);
      }).map(({ msg }) => msg);
    expect(written('silent')).to.deep.equal([]);
    expect(written('warn')).to.deep.equal(['fatal', 'error', 'warn']);
    expect(written('trace')).to.have.length(6);
  });

  it('say of an error what it is, and nothing that it carries', () => {
    const failed = Object.assign(new Error('no connection'), {
      code: 'ECONNREFUSED',
      url: 'postgres://anna:secret@host/db',
      parameters: ['secret'],
      cause: new Error('secret'),
    });
    const lines = linesOf(() => {
      const log = createLogger('orders', 'info');
      log.warn({ err: failed }, 'pass failed');
      log.error({ err: new TypeError('a bug') }, 'request failed');
      log.error({ err: 'secret' }, 'request failed');
    });
    expect(JSON.stringify(lines)).not.to.contain('secret');
    expect(lines[0]?.['err']).to.deep.equal({
      type: 'Error',
      code: 'ECONNREFUSED',
      message: 'no connection',
    });
    expect(lines[1]?.['err']).to.have.property('stack');
  });

  it('say of a copy of an error what they say of the error: pg-boss tells of its errors by such copies', () => {
    const stopped = Object.assign(new Error('terminating connection due to administrator command'), {
      name: 'error',
      code: '57P01',
      detail: 'secret',
    });
    const copyOf = (error: Error) => ({
      ...error,
      message: error.message,
      stack: error.stack,
      queue: 'secret',
    });
    const bug = new TypeError('a bug');
    const lines = linesOf(() => {
      const log = createLogger('orders', 'info');
      log.warn({ err: copyOf(stopped) }, 'broker trouble, will be repeated');
      log.warn({ err: copyOf(bug) }, 'broker trouble, will be repeated');
      log.warn({ err: { message: { secret: 'secret' } } }, 'broker trouble, will be repeated');
      log.warn({ err: { password: 'secret' } }, 'broker trouble, will be repeated');
    });
    expect(lines.map(({ err }) => err)).to.deep.equal([
      { type: 'error', code: '57P01', message: stopped.message },
      { type: 'object', message: 'a bug', stack: bug.stack },
      { type: 'object' },
      { type: 'object' },
    ]);
  });

  it('of a request that failed have its id and its trace', () => {
    const refuse = (error: Error, trace?: unknown) =>
      linesOf(() => {
        const log = createLogger('orders', 'debug');
        refusalOf(error, { isWrite: true, requestId: 'request-1', traceparent: trace, log });
      });
    const [bug] = refuse(new TypeError('a bug'), traceparent);
    expect(bug).to.include({ msg: 'request failed', request_id: 'request-1', trace_id: traceId });
    const [away] = refuse(new CodedError('unavailable', 'The database is away.'), 'garbage');
    expect(away).to.include({ msg: 'request refused', level: 'debug' }).and.not.have.property('trace_id');
    expect(refuse(new CodedError('account-not-found', 'There is none.'))).to.deep.equal([]);
  });

  it('of refused messages have order, message and trace, and nothing that is none', () => {
    const letter = {
      reason: 'invalid-message',
      detail: 'secret',
      queue: 'payment-results',
      jobId: 'job-1',
    } as const;
    const [id, subject] = [uuidV7(), uuidV7()];
    expect(
      refusalFields([{ ...letter, message: { id, subject, traceparent, user: 'secret' } }]),
    ).to.deep.equal({
      dead_letters: 1,
      queue: 'payment-results',
      reason: 'invalid-message',
      job_id: 'job-1',
      message_id: id,
      order_id: subject,
      trace_id: traceId,
    });
    const garbage = refusalFields([
      { ...letter, message: { id: 'secret', subject: 5, traceparent: 'secret' } },
    ]);
    expect(JSON.stringify(garbage)).not.to.contain('secret');
  });
});
