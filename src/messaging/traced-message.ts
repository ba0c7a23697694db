import { isUuid } from '../platform/field-schemas.ts';

/** A message as far as its trace goes. Whatever came may stand in the fields left out. */
export interface TraceableMessage {
  subject: string;
  traceparent: string;
}

/** Whether this is a message about an order, as far as that can be seen, with a trace to go on. */
export function isTraceable(message: unknown): message is TraceableMessage {
  if (typeof message !== 'object' || message === null) return false;
  const { subject, traceparent } = message as { subject?: unknown; traceparent?: unknown };
  return typeof traceparent === 'string' && typeof subject === 'string' && isUuid(subject);
}
