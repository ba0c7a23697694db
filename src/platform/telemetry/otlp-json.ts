import type { Attributes, AttributeValue, Link } from '@opentelemetry/api';
import type { Resource } from '@opentelemetry/resources';
import type { SpanForm, SpanRecord } from './span-record.ts';

const tail = ']}]}]}';
/** Flags: recorded, and of this process; or with a parent in another one, as every parent here is. */
const local = 0x101;
const remote = 0x301;

/**
 * Spans in OTLP's JSON (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding). Where every order has
 * seven of them, writing them is most of what traces cost. What all spans of a form share, and the time of a batch, is
 * written once; the SDK's own serializer, which makes objects of everything first, takes five times as long.
 */
export class OtlpJsonWriter {
  readonly #head: string;
  /** What spans of a form have in common, as text. */
  readonly #forms = new WeakMap<SpanForm, string>();
  /** The last times as text: those of a batch are the same. */
  #start = { ms: Number.NaN, nanos: '' };
  #end = { ms: Number.NaN, nanos: '' };

  constructor(resource: Resource) {
    const attributes = attributesOf(resource.attributes);
    this.#head = `{"resourceSpans":[{"resource":{"attributes":[${attributes}]},"scopeSpans":[{"scope":{"name":"tillbox"},"spans":[`;
  }

  /** The body of a request. */
  write(records: readonly SpanRecord[]): Buffer {
    const texts = [this.#head];
    for (const record of records) texts.push((texts.length > 1 ? ',' : '') + this.#spanOf(record));
    texts.push(tail);
    const body = Buffer.allocUnsafe(texts.reduce((bytes, text) => bytes + text.length, 0));
    let end = 0;
    // All of it is ASCII: written one by one, texts need not be joined before.
    for (const text of texts) end += body.write(text, end, 'latin1');
    return body;
  }

  #spanOf(record: SpanRecord): string {
    const { context, parentSpanId, form, startMs, endMs, ownAttributes } = record;
    const { traceId, spanId } = context;
    const own = attributesOf(ownAttributes);
    const shared = this.#formOf(form);
    const separator = own === '' || shared.endsWith('[') ? '' : ',';
    const parent = parentSpanId === undefined ? '' : `"parentSpanId":"${parentSpanId}",`;
    const flags = parentSpanId === undefined ? local : remote;
    if (startMs !== this.#start.ms) this.#start = { ms: startMs, nanos: nanosOf(startMs) };
    if (endMs !== this.#end.ms) this.#end = { ms: endMs, nanos: nanosOf(endMs) };
    return `{"traceId":"${traceId}","spanId":"${spanId}",${parent}"flags":${flags},"startTimeUnixNano":"${this.#start.nanos}","endTimeUnixNano":"${this.#end.nanos}",${rareOf(record)}${shared}${separator}${own}]}`;
  }

  /** Name, kind and attributes, with the list of these left open. */
  #formOf(form: SpanForm): string {
    let text = this.#forms.get(form);
    if (text === undefined) {
      const kind = otlpKinds[form.kind];
      text = `"name":${quoted(form.name)},"kind":${kind},"attributes":[${attributesOf(form.attributes)}`;
      this.#forms.set(form, text);
    }
    return text;
  }
}

/** Milliseconds with fractions as nanoseconds. */
function nanosOf(ms: number): string {
  const whole = Math.floor(ms);
  return whole + String(Math.min(999_999, Math.round((ms - whole) * 1e6))).padStart(6, '0');
}

const otlpKinds = { internal: 1, server: 2, client: 3, producer: 4, consumer: 5 } as const satisfies Record<
  SpanForm['kind'],
  number
>;

/** What few spans have. */
function rareOf({ context: { traceState }, links, droppedLinksCount, status }: SpanRecord): string {
  let text = '';
  if (traceState !== undefined) text += `"traceState":${quoted(traceState.serialize())},`;
  if (links.length > 0) text += `"links":[${links.map(linkOf).join()}],`;
  if (droppedLinksCount > 0) text += `"droppedLinksCount":${droppedLinksCount},`;
  if (status.code === 2) text += `"status":{"code":2,"message":${quoted(status.message ?? '')}},`;
  return text;
}

function linkOf({ context: { traceId, spanId } }: Link): string {
  return `{"traceId":"${traceId}","spanId":"${spanId}","flags":${local}}`;
}

function attributesOf(attributes: Attributes): string {
  let text = '';
  for (const key in attributes) {
    const value = attributes[key];
    if (value !== undefined)
      text += `${text === '' ? '' : ','}{"key":${quoted(key)},"value":${otlpValueOf(value)}}`;
  }
  return text;
}

function otlpValueOf(value: AttributeValue): string {
  if (typeof value === 'string') return `{"stringValue":${quoted(value)}}`;
  if (typeof value === 'boolean') return `{"boolValue":${value}}`;
  if (typeof value === 'number')
    return `{"${Number.isInteger(value) ? 'intValue' : 'doubleValue'}":${value}}`;
  return `{"stringValue":${quoted(String(value))}}`;
}

const plain = /^[ !#-[\]-~]*$/;
const notAscii = /[^\x20-\x7e]/g;

/** A text as JSON in ASCII. */
function quoted(text: string): string {
  if (plain.test(text)) return `"${text}"`;
  const escaped = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return JSON.stringify(text).replace(notAscii, escaped);
}
