import type { Environment } from './config.ts';

/** What may hold a secret, shown or handed on without it. */

/** The environment for a program that is none of ours: without what may be, or hold, a secret. */
export function withoutSecrets(environment: Environment): Record<string, string> {
  const isSecret = (name: string) =>
    /^TILLBOX_(AUTH_SECRET|GATEWAY_SECRET|TOKEN)$|DATABASE_URL$|^PGPASS|^OTEL_EXPORTER_/.test(name);
  const plain = Object.entries(environment).filter(([name, value]) => value !== undefined && !isSecret(name));
  return Object.fromEntries(plain as [string, string][]);
}

/** An URL without its password, for people and logs. */
export function redactUrl(url: string): string {
  if (!URL.canParse(url)) return '(not an URL)';
  const parsed = new URL(url);
  if (parsed.password !== '') parsed.password = '***';
  for (const name of ['password', 'sslpassword']) {
    if (parsed.searchParams.has(name)) parsed.searchParams.set(name, '***');
  }
  return parsed.href;
}

/** A text of others that may name URLs, without who they log in as: for logs. */
export function redactUrlsIn(text: string): string {
  return text.replaceAll(/\/\/[^/\s'"]*@/g, '//***@');
}
