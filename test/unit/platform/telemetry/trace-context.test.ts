import { expect } from 'chai';
import {
  formatTraceparent,
  parseTraceparent,
  traceFields,
  traceparentIn,
} from '../../../../src/platform/telemetry/trace-context.ts';

describe('trace context', () => {
  const traceId = 'a'.repeat(32);
  const spanId = 'b'.repeat(16);
  const header = `00-${traceId}-${spanId}-01`;

  it('is read from the header, and written as it was read', () => {
    expect(parseTraceparent(header)).to.deep.equal({ traceId, spanId, sampled: true });
    expect(parseTraceparent(`00-${traceId}-${spanId}-02`)).to.include({ sampled: false });
    expect(formatTraceparent({ traceId, spanId, sampled: true })).to.equal(header);
    expect(formatTraceparent({ traceId, spanId, sampled: false })).to.equal(`00-${traceId}-${spanId}-00`);
  });

  it('is none where the header is absent or malformed', () => {
    const malformed = [
      undefined,
      null,
      5,
      '',
      header.toUpperCase(),
      `${header}-x`,
      `${header}\n`,
      [header],
      `ff-${traceId}-${spanId}-01`,
      `00-${'0'.repeat(32)}-${spanId}-01`,
      `00-${traceId}-${'0'.repeat(16)}-01`,
      `00-${traceId}-${spanId}`,
    ];
    for (const value of malformed) {
      expect(parseTraceparent(value), String(value)).to.equal(undefined);
      expect(traceparentIn(value), String(value)).to.equal(undefined);
      expect(traceFields(value)).to.deep.equal({});
    }
  });

  it('of a later version is passed on as far as it is understood', () => {
    expect(traceparentIn(`cc-${traceId}-${spanId}-01-more`)).to.equal(header);
  });

  it('is told in a log line by its trace alone', () => {
    expect(traceFields(header)).to.deep.equal({ trace_id: traceId });
  });
});
