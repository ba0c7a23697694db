import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { anyone } from '../platform/identity/principal.ts';
import type { CrossOrigin } from './cross-origin.ts';
import type { Arrival, Door, Visit } from './door.ts';
import type { InFlight } from './in-flight.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** How the gateway let this request in. */
    visit: Visit;
  }
}

/** How the gateway is, for whoever watches over it: no flood of others may keep the answer back. */
const healthPaths = new Set(['/livez', '/readyz']);
/** What is the same for everybody. */
const publicPaths = new Set(['/', '/openapi.json', '/docs']);
const health: Visit = { principal: anyone, countedAs: undefined, headers: {} };
/** For a year a browser that was here by TLS comes by TLS (RFC 6797). */
const strictTransport = 'max-age=31536000';

/** What a request passes on its way in. */
export interface EntranceParts {
  door: Door;
  crossOrigin: CrossOrigin;
  inFlight: InFlight;
  /** Whether clients come by TLS, here or at the proxy. */
  secure: boolean;
}

/** Every request passes the door first, before its route and its body are looked at. */
export function guardEntrance(app: FastifyInstance, parts: EntranceParts): void {
  const { door, crossOrigin } = parts;
  app.decorateRequest('visit');
  app.addHook('onRequest', (request, reply, done) => {
    const { raw } = request;
    try {
      const path = pathOf(raw.url ?? '');
      if (healthPaths.has(path)) {
        markAnswer(request, reply, parts);
        request.visit = health;
        return done();
      }
      const readable = crossOrigin.headersFor(raw.headers.origin);
      if (readable !== undefined) reply.headers(readable);
      const arrival = arrive(request, reply, parts);
      const preflight = crossOrigin.preflightFor(raw.method, raw.headers);
      if (preflight !== undefined) return void reply.code(204).headers(preflight).send();
      const tokenNeeded = !publicPaths.has(path);
      const visit = door.admit(arrival, raw.headers.authorization, performance.now(), { tokenNeeded });
      if (!(visit instanceof Promise)) {
        letIn(request, reply, visit, parts);
        return done();
      }
      visit.then((checked) => letIn(request, reply, checked, parts)).then(() => done(), done);
    } catch (error) {
      done(error as Error);
    }
  });
}

/**
 * The beginning of it, which is all there is for a request that no route can be looked up for.
 * @throws CodedError as `Door.arrive` does
 */
export function arrive(
  request: FastifyRequest,
  reply: FastifyReply,
  parts: Pick<EntranceParts, 'door' | 'secure'>,
): Arrival {
  markAnswer(request, reply, parts);
  return parts.door.arrive(request.raw, performance.now());
}

/** What every answer has. */
function markAnswer(
  request: FastifyRequest,
  reply: FastifyReply,
  { secure }: Pick<EntranceParts, 'secure'>,
): void {
  reply.header('x-request-id', request.id);
  reply.header('x-content-type-options', 'nosniff');
  if (secure) reply.header('strict-transport-security', strictTransport);
}

function pathOf(target: string): string {
  const end = target.indexOf('?');
  return end === -1 ? target : target.slice(0, end);
}

function letIn(
  request: FastifyRequest,
  reply: FastifyReply,
  visit: Visit,
  { inFlight }: EntranceParts,
): void {
  request.visit = visit;
  reply.headers(visit.headers);
  if (visit.countedAs === undefined) return;
  reply.raw.once('close', inFlight.enter(visit.countedAs));
}
