import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import specifications from '@asyncapi/specs';
import { Ajv, type AnySchema } from 'ajv';
import { expect } from 'chai';
import { asyncApiDocument, contractFiles } from '../../../src/messaging/asyncapi.ts';
import { deadLetterQueues } from '../../../src/messaging/dead-letters.ts';
import { messageSchemas, queueOf, toCloudEvent } from '../../../src/messaging/messages.ts';
import { toPublications } from '../../../src/messaging/outbox-relay.ts';

const root = new URL('../../../', import.meta.url);
const { version } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as { version: string };
const document = asyncApiDocument(version) as {
  channels: Record<string, object>;
  components: { messages: Record<string, { payload: object }>; schemas: object };
};

/** A validator of what a job of this message carries, as a reader of the document would make it. */
function payloadValidator(message: string) {
  const ajv = new Ajv({ strict: false, validateFormats: false });
  const payload = document.components.messages[message]?.payload;
  return ajv.compile({ ...payload, components: document.components });
}

describe('the AsyncAPI document', () => {
  it('keeps the rules of AsyncAPI 3', () => {
    const ajv = new Ajv({ strict: false, validateFormats: false });
    const isValid = ajv.compile(specifications.schemasWithoutId['3.0.0'] as AnySchema);
    expect(isValid(document), JSON.stringify(isValid.errors?.slice(0, 3))).to.equal(true);
    expect(isValid({ ...document, operations: { odd: { action: 'juggle' } } })).to.equal(false);
  });

  it('is in docs as the schemas make it, and so are the schemas (npm run contracts)', () => {
    const files = contractFiles(version);
    for (const [path, text] of Object.entries(files)) {
      expect(existsSync(new URL(path, root)), path).to.equal(true);
      expect(readFileSync(new URL(path, root), 'utf8'), path).to.equal(text);
    }
    const schemas = readdirSync(new URL('docs/schemas', root)).map((name) => `docs/schemas/${name}`);
    expect(Object.keys(files)).to.include.members(schemas);
  });

  it('has every queue and its dead letters', () => {
    const names = deadLetterQueues.flatMap(({ queue, name }) => [queue, name]);
    expect(Object.keys(document.channels)).to.have.members(names);
  });

  it('has no reference that leads nowhere', () => {
    const references = JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g);
    for (const [, path = ''] of references) {
      const target = path
        .split('/')
        .reduce<unknown>((node, key) => (node as Record<string, unknown> | undefined)?.[key], document);
      expect(target, path).to.be.an('object');
    }
  });

  it('describes what a relay publishes, and a batch of 1 to 100', () => {
    const message = toCloudEvent({
      type: 'payment.failed.v1',
      orderId: '0199f0a4-5f6b-7c3e-9d2a-3b1f0c8e7d65',
      userId: 'alice',
      amount: 4990n,
      reason: 'INSUFFICIENT_FUNDS',
    });
    const row = { seq: '1', queue: queueOf[message.type], messages: [message], created_at: new Date() };
    const dead = { reason: 'unknown-order', detail: 'none', queue: 'payment-results', job_id: '1' };
    const [batch, letter] = toPublications([
      { ...row, dead_letter: null },
      { ...row, queue: 'payment-results-dead-letters', dead_letter: dead },
    ] as unknown as Parameters<typeof toPublications>[0]);
    const isBatch = payloadValidator('payment-results-batch');
    expect(isBatch(batch?.data), JSON.stringify(isBatch.errors)).to.equal(true);
    expect(payloadValidator('payment-results-dead-letter')(letter?.data)).to.equal(true);
    for (const messages of [[], Array(101).fill(message), [{ ...message, id: 7 }]]) {
      expect(isBatch({ messages })).to.equal(false);
    }
  });

  it('and the schemas are importable from the package', () => {
    const require = createRequire(import.meta.url);
    expect(require('tillbox/asyncapi.json')).to.deep.equal(JSON.parse(JSON.stringify(document)));
    for (const [type, schema] of Object.entries(messageSchemas)) {
      const { $schema, ...published } = require(`tillbox/schemas/${type}.json`);
      expect($schema).to.equal('http://json-schema.org/draft-07/schema#');
      expect(published).to.deep.equal(JSON.parse(JSON.stringify(schema)));
    }
  });
});
