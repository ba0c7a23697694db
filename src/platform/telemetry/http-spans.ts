import type { FastifyInstance } from 'fastify';
import type { SpanForm } from './span-record.ts';
import type { OpenSpan, Spans } from './spans.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** What this request is recorded as, where that is wanted. */
    span: { open: OpenSpan; form: SpanForm } | undefined;
  }
}

/** What is asked all the time, and requests that are many in one: each of those has its own. */
const untraced = new Set(['/livez', '/readyz', '/orders/batch']);

/**
 * Records requests as OpenTelemetry's conventions name it, each within the trace that its headers tell. From here on
 * the request's own header `traceparent` is that span: whoever passes it on, or does what it asks, goes on from it.
 * Routes are templates, and paths are left out: ids of users stand in them. Call it before the routes are added.
 * @param begins whether a request that has no trace may begin one
 */
export function traceRequests(app: FastifyInstance, spans: Spans, begins: boolean): void {
  const forms = new Map<string, SpanForm>();
  const formOf = (method: string, route: string): SpanForm => {
    const name = `${method} ${route}`;
    const attributes = { 'http.request.method': method, 'http.route': route };
    const form = forms.get(name) ?? { name, kind: 'server', attributes };
    forms.set(name, form);
    return form;
  };
  app.decorateRequest('span');
  app.addHook('onRequest', (request, _reply, done) => {
    const route = request.routeOptions.url;
    if (route !== undefined && !untraced.has(route)) {
      const { headers } = request.raw;
      const { traceparent, tracestate } = headers as Record<string, string | undefined>;
      const startMs = spans.now();
      const open = begins
        ? spans.begin(traceparent, startMs, tracestate)
        : spans.goOn(traceparent, startMs, tracestate);
      if (open.traceparent !== undefined) headers['traceparent'] = open.traceparent;
      if (open.context !== undefined) request.span = { open, form: formOf(request.method, route) };
    }
    done();
  });
  app.addHook('onResponse', ({ span }, { statusCode }, done) => {
    if (span !== undefined) {
      const attributes = { 'http.response.status_code': statusCode };
      const failure = statusCode >= 500 ? { error: { code: statusCode } } : {};
      spans.end(span.open, span.form, { attributes, ...failure });
    }
    done();
  });
}
