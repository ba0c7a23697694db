import { Ajv } from 'ajv';
import { expect } from 'chai';
import { messageSchemas } from '../../src/messaging/messages.ts';
import * as orders from '../../src/orders/http-schemas.ts';
import * as payments from '../../src/payments/http-schemas.ts';

/** The parts of a request that have a schema each. */
const parts = ['body', 'headers', 'params', 'querystring'] as const;

/** All schemas of ours by name, those of a request's parts one by one. */
function allSchemas(): [string, object][] {
  const named = Object.entries({ ...messageSchemas, ...orders, ...payments });
  return named.flatMap(([name, schema]): [string, object][] => {
    const inParts = parts.filter((part) => part in schema);
    if (inParts.length === 0) return [[name, schema]];
    return inParts.map((part) => [`${name}.${part}`, (schema as Record<string, object>)[part] as object]);
  });
}

describe('the schemas that validate', () => {
  it('are themselves valid: the processes that use them do not check that again', () => {
    const ajv = new Ajv({ strict: false });
    const schemas = allSchemas();
    expect(schemas.map(([name]) => name)).to.include.members([
      'payment.requested.v1',
      'createOrderSchema.body',
      'createOrderSchema.headers',
      'listEntriesSchema.querystring',
    ]);
    for (const [name, schema] of schemas) {
      expect(ajv.validateSchema(schema), `${name}: ${ajv.errorsText()}`).to.equal(true);
    }
    expect(ajv.validateSchema({ type: 'object', required: 'id' })).to.equal(false);
  });
});
