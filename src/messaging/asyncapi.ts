import { deadLetterQueueOf, deadLetterReasons } from './dead-letters.ts';
import { batchSizeMax, type MessageType, messageSchemas, type Queue, queueOf } from './messages.ts';

/**
 * The queues as others see them: an AsyncAPI 3 document made of the schemas that validate. `npm run
 * contracts` writes it to docs/asyncapi.json, and the schema of each message to docs/schemas.
 */

const messageTypes = Object.keys(messageSchemas) as MessageType[];

/** Who sends into a queue and who receives from it. */
const partiesOf = {
  'payment-requests': { sender: 'orders', receiver: 'payments' },
  'payment-results': { sender: 'payments', receiver: 'orders' },
} as const satisfies Record<Queue, object>;
const queues = Object.keys(partiesOf) as Queue[];

const draft = 'http://json-schema.org/draft-07/schema#';
const contentType = 'application/json';

/** The JSON Schemas of the messages, by type, each as a document of its own. */
function publishedSchemas(): Record<MessageType, object> {
  const entries = messageTypes.map((type) => [type, { $schema: draft, ...messageSchemas[type] }]);
  return Object.fromEntries(entries) as Record<MessageType, object>;
}

/** What is published as files: path in the package, and text. */
export function contractFiles(version: string): Record<string, string> {
  const schemas = Object.entries(publishedSchemas());
  return Object.fromEntries([
    ['docs/asyncapi.json', toText(asyncApiDocument(version))],
    ...schemas.map(([type, schema]) => [`docs/schemas/${type}.json`, toText(schema)]),
  ]);
}

const toText = (document: object) => `${JSON.stringify(document, null, 2)}\n`;

/** The document. Pure. @param version of tillbox */
export function asyncApiDocument(version: string): object {
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'tillbox',
      version,
      description: `The messages between orders and payments: CloudEvents 1.0 in their JSON form, in pg-boss queues. The data of a job is a batch of 1 to ${batchSizeMax} messages. They arrive at least once: drop a message whose id was seen. Ignore fields that are not named here.`,
      license: { name: 'MIT' },
    },
    defaultContentType: contentType,
    servers: {
      broker: {
        host: 'localhost:5432',
        protocol: 'postgres',
        description: 'The database of BROKER_DATABASE_URL; pg-boss keeps its queues in the schema broker.',
      },
    },
    channels: Object.fromEntries(queues.flatMap((queue) => [channelOf(queue), deadLetterChannelOf(queue)])),
    operations: Object.fromEntries(queues.flatMap(operationsOf)),
    components: {
      messages: Object.fromEntries([
        ...queues.map((queue) => [batchName(queue), batchOf(queue)]),
        ...queues.map((queue) => [deadLetterName(queue), deadLetterOf(queue)]),
      ]),
      schemas: messageSchemas,
    },
  };
}

const batchName = (queue: Queue) => `${queue}-batch`;
const deadLetterName = (queue: Queue) => `${queue}-dead-letter`;

function channelOf(queue: Queue) {
  const { sender, receiver } = partiesOf[queue];
  return [
    queue,
    {
      address: queue,
      description: `From ${sender} to ${receiver}.`,
      messages: { [batchName(queue)]: { $ref: `#/components/messages/${batchName(queue)}` } },
    },
  ] as const;
}

function deadLetterChannelOf(queue: Queue) {
  const address = deadLetterQueueOf(queue);
  return [
    address,
    {
      address,
      description: `What ${partiesOf[queue].receiver} can never process, until an operator redrives or discards it.`,
      messages: { [deadLetterName(queue)]: { $ref: `#/components/messages/${deadLetterName(queue)}` } },
    },
  ] as const;
}

function operationsOf(queue: Queue) {
  const { sender, receiver } = partiesOf[queue];
  const deadLetters = deadLetterQueueOf(queue);
  const operation = (action: 'send' | 'receive', address: string, message: string, summary: string) => ({
    action,
    channel: { $ref: `#/channels/${address}` },
    summary,
    messages: [{ $ref: `#/channels/${address}/messages/${message}` }],
  });
  return [
    [`send-${queue}`, operation('send', queue, batchName(queue), `The relay of ${sender} publishes.`)],
    [`receive-${queue}`, operation('receive', queue, batchName(queue), `${receiver} takes what is there.`)],
    [
      `send-${deadLetters}`,
      operation('send', deadLetters, deadLetterName(queue), `${receiver} sets aside, with the reason.`),
    ],
  ];
}

function batchOf(queue: Queue) {
  return {
    name: batchName(queue),
    title: `A batch of messages in ${queue}`,
    contentType,
    payload: {
      type: 'object',
      required: ['messages'],
      properties: {
        messages: {
          type: 'array',
          minItems: 1,
          maxItems: batchSizeMax,
          items: {
            anyOf: messageTypes
              .filter((type) => queueOf[type] === queue)
              .map((type) => ({ $ref: `#/components/schemas/${type}` })),
          },
        },
      },
    },
  };
}

function deadLetterOf(queue: Queue) {
  return {
    name: deadLetterName(queue),
    title: `A message of ${queue} that can never be processed`,
    contentType,
    payload: {
      type: 'object',
      required: ['messages'],
      properties: {
        messages: { type: 'array', description: 'As they came, mostly one: anything may stand here.' },
        dead_letter: {
          type: 'object',
          description: 'Absent when pg-boss itself gave the job up.',
          required: ['reason', 'detail', 'queue', 'job_id', 'at'],
          properties: {
            reason: { enum: deadLetterReasons },
            detail: { type: 'string', description: 'what exactly is wrong, for an operator' },
            queue: { const: queue, description: 'where redriving brings it back to' },
            job_id: { type: 'string', description: 'the pg-boss job it came in' },
            at: { type: 'string', format: 'date-time' },
          },
        },
      },
    },
  };
}
