import { isUserId } from '../field-schemas.ts';

/** What a token may allow: its user's own account and orders, or everyone's. */
export const scopes = ['user', 'operator'] as const;
export type Scope = (typeof scopes)[number];

/** Who asks, and for whom they may act. */
export interface Principal {
  /** The `sub` of the token. For the scope `user` it is the id of the user. */
  readonly subject: string;
  readonly scope: Scope;
}

/** Whoever asks where nobody has to say who they are: on the machine itself, with no identity configured. */
export const anyone: Principal = { subject: 'anyone', scope: 'operator' };

/** Whether somebody may see and do what belongs to this user. */
export function mayActFor(principal: Principal, userId: string): boolean {
  return principal.scope === 'operator' || principal.subject === userId;
}

const subjectLengthMax = 255;

/** Whether a `sub` can be one of this scope: a user's is a user id, an operator's is any short text. */
export function isSubject(subject: unknown, scope: Scope): subject is string {
  if (typeof subject !== 'string') return false;
  if (scope === 'user') return isUserId(subject);
  return subject.length > 0 && subject.length <= subjectLengthMax;
}

/**
 * How the gateway tells a service who asks; undefined for `anyone`. An operator's name stays at the gateway:
 * no service decides by it.
 */
export function principalHeader(principal: Principal): string | undefined {
  if (principal === anyone) return undefined;
  return principal.scope === 'operator' ? 'operator' : `user ${principal.subject}`;
}

const operator: Principal = { subject: 'operator', scope: 'operator' };

/**
 * Who asks, as the gateway told it; a request that names nobody comes from anyone. Undefined for what no gateway
 * writes: that must be refused, never taken for anyone.
 */
export function principalIn(header: string | string[] | undefined): Principal | undefined {
  if (header === undefined) return anyone;
  if (header === 'operator') return operator;
  if (typeof header !== 'string' || !header.startsWith('user ')) return undefined;
  const subject = header.slice('user '.length);
  return isSubject(subject, 'user') ? { subject, scope: 'user' } : undefined;
}
