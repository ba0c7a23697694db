import { createTraceState } from '@opentelemetry/api';
import { JsonTraceSerializer } from '@opentelemetry/otlp-transformer';
import { resourceFromAttributes } from '@opentelemetry/resources';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import { expect } from 'chai';
import fc from 'fast-check';
import { OtlpJsonWriter } from '../../../../src/platform/telemetry/otlp-json.ts';
import { type SpanForm, SpanRecord } from '../../../../src/platform/telemetry/span-record.ts';

/** A document without what stands for nothing: zero, no text, an empty list or object. */
function withoutDefaults(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutDefaults);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, inner]) => [key, withoutDefaults(inner)] as const);
  const isNothing = (inner: unknown) =>
    inner === undefined ||
    inner === 0 ||
    inner === '' ||
    (typeof inner === 'object' && inner !== null && Object.keys(inner).length === 0);
  // A value of an attribute means something, whatever it is.
  return Object.fromEntries(entries.filter(([key, inner]) => /Value$/.test(key) || !isNothing(inner)));
}

describe('spans as OTLP JSON', () => {
  const resource = resourceFromAttributes({ 'service.name': 'täglich "neu"', 'odd "key"': 1.5 });
  const forms: SpanForm[] = [
    { name: 'create order', kind: 'internal', attributes: {} },
    { name: 'publish "ü"', kind: 'producer', attributes: { 'messaging.system': 'pg-boss', size: 2 } },
    { name: 'POST /orders', kind: 'server', attributes: { ok: true } },
    { name: 'settle', kind: 'consumer', attributes: {} },
    { name: 'send', kind: 'client', attributes: {} },
  ];
  const id = (digits: number) =>
    fc.string({ unit: fc.constantFrom(...'123456789abcdef'), minLength: digits, maxLength: digits });
  const context = fc.record({ traceId: id(32), spanId: id(16), traceFlags: fc.constant(1) });
  const value = fc.oneof(fc.string({ unit: 'binary' }), fc.integer(), fc.boolean(), fc.constant(0.5));
  const record = fc
    .record({
      form: fc.constantFrom(...forms),
      context,
      traceState: fc.constantFrom(undefined, createTraceState('shop=17')),
      parentSpanId: fc.option(id(16), { nil: undefined }),
      startMs: fc.integer({ min: 1, max: 2_000_000_000_000 }),
      ms: fc.constantFrom(0, 0.5, 12.25),
      attributes: fc.dictionary(fc.constantFrom('tillbox.order.id', 'tillbox.duplicate', 'a "b"'), value),
      error: fc.constantFrom(undefined, { code: 'ECONNRESET' }, { code: 'schräg' }),
      links: fc.array(context, { maxLength: 3 }),
    })
    .map(({ ms, links, traceState, context: plain, ...rest }) => {
      const state = traceState === undefined ? {} : { traceState };
      const made = new SpanRecord({
        ...rest,
        context: { ...plain, ...state },
        endMs: rest.startMs + ms,
        resource,
      });
      made.links = links.map((linked) => ({ context: linked }));
      made.droppedLinksCount = links.length;
      return made;
    });

  it('say the same as OpenTelemetry’s own serializer', () => {
    const writer = new OtlpJsonWriter(resource);
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 5 }), (records) => {
        const written = writer.write(records).toString('latin1');
        const theirs = JsonTraceSerializer.serializeRequest(records as ReadableSpan[]);
        expect(written).to.match(/^[\x20-\x7e]*$/);
        expect(withoutDefaults(JSON.parse(written))).to.deep.equal(
          withoutDefaults(JSON.parse(Buffer.from(theirs ?? []).toString())),
        );
      }),
    );
  });
});
