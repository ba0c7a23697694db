import type { FastifyInstance } from 'fastify';
import { credentialCheck, credentialHeader, principalHeaderName } from './gateway-credential.ts';
import { type Principal, principalIn } from './principal.ts';
import { gatewayAlone } from './refusals.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** For whom a service's route may act. */
    principal: Principal;
  }
}

/** What may be asked without being the gateway: how the daemon is. */
const openPaths = new Set(['/livez', '/readyz']);

/**
 * Lets a service answer its gateway alone, and know who asks: each request carries the gateway's credential and
 * names its principal. Without a credential, as in tests of one service
 * alone, whoever reaches it is believed.
 */
export function openForGateway(app: FastifyInstance, credential: string | undefined): void {
  const isGateway = credential === undefined ? () => true : credentialCheck(credential);
  app.decorateRequest('principal');
  app.addHook('onRequest', (request, _reply, done) => {
    if (openPaths.has(request.url)) return done();
    const principal = principalIn(request.headers[principalHeaderName]);
    if (principal === undefined || !isGateway(request.headers[credentialHeader])) {
      return done(gatewayAlone());
    }
    request.principal = principal;
    done();
  });
}
