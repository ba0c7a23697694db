import { positiveDecimalSchema, timeSchema, userIdSchema, uuidSchema } from '../../platform/field-schemas.ts';

/** JSON Schema of what an event of `GET /board/events` carries; the gateway publishes it. */

const nullable = (schema: { type: string }) => ({ ...schema, type: [schema.type, 'null'] });
const whole = { type: 'integer', minimum: 0 } as const;
const figure = { type: 'number', minimum: 0 } as const;
const object = (properties: Record<string, object>) => ({
  type: 'object',
  required: Object.keys(properties),
  properties,
});
const serviceSchema = { type: 'string', enum: ['orders', 'payments'] } as const;

const stepSchema = object({
  number: { type: 'integer', minimum: 1, maximum: 6 },
  step: { type: 'string', enum: ['created', 'published', 'received', 'decided', 'settled'] },
  service: serviceSchema,
  per_s: { ...nullable(figure), description: 'over the last five seconds, of all instances' },
});

const queueSchema = object({
  name: { type: 'string' },
  kind: { type: 'string', enum: ['outbox', 'queue', 'inbox', 'dead-letters'] },
  depth: { ...whole, description: 'messages that wait' },
  estimated: { type: 'boolean' },
  oldest_s: nullable(figure),
  in_flight: nullable(whole),
  retrying_jobs: nullable(whole),
  in_per_s: nullable(figure),
  out_per_s: nullable(figure),
});

const orderSchema = object({
  id: uuidSchema,
  user_id: userIdSchema,
  amount: positiveDecimalSchema,
  status: { type: 'string', enum: ['NEW', 'FINISHED', 'CANCELED'] },
  reason: { type: ['string', 'null'] },
  reached: {
    type: 'integer',
    minimum: 1,
    maximum: 6,
    description: 'the last step it is known to have taken',
  },
  created_at: timeSchema,
  received_at: nullable(timeSchema),
  decided_at: nullable(timeSchema),
  settled_at: nullable(timeSchema),
});

const countSchema = object({ answering: whole, of: whole });

export const boardSchema = {
  title: 'Board',
  description: 'One look at the whole. What is not known is null or missing.',
  ...object({
    at: timeSchema,
    steps: { type: 'array', items: stepSchema, minItems: 6, maxItems: 6 },
    queues: { type: 'array', items: queueSchema, description: 'in the order a message takes' },
    orders: { type: ['array', 'null'], items: orderSchema, description: 'a sample of the newest' },
    settle_ms: {
      ...nullable(object({ p50: nullable(figure), p95: nullable(figure), orders: whole })),
      description: 'from created to settled, of the newest 500 orders',
    },
    instances: object({ orders: countSchema, payments: countSchema }),
    blind: {
      type: 'array',
      description: 'what cannot be seen, and since when',
      items: object({
        what: { type: 'string', enum: ['orders', 'payments', 'broker'] },
        since: timeSchema,
        detail: { type: 'string' },
      }),
    },
  }),
};
