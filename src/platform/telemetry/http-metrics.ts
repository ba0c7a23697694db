import type { Meter } from '@opentelemetry/api';
import type { FastifyInstance } from 'fastify';

/** Seconds: from an answer out of memory to the longest a gateway waits. */
const boundaries = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/**
 * Records how long requests take, by route, method and status, as OpenTelemetry's conventions name it. Routes are
 * templates: no id becomes a label. Call it before the routes are added.
 */
export function measureRequests(app: FastifyInstance, meter: Meter): void {
  const durations = meter.createHistogram('http.server.request.duration', {
    unit: 's',
    description: 'Time from a request to the end of its answer.',
    advice: { explicitBucketBoundaries: boundaries },
  });
  app.addHook('onResponse', (request, reply, done) => {
    durations.record(reply.elapsedTime / 1_000, {
      'http.request.method': request.method,
      'http.route': request.routeOptions.url ?? 'none',
      'http.response.status_code': reply.statusCode,
    });
    done();
  });
}
