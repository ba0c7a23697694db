import {
  createRemoteJWKSet,
  decodeProtectedHeader,
  type ExportedJWKSCache,
  errors,
  type JWTPayload,
  jwksCache,
  jwtVerify,
  SignJWT,
} from 'jose';
import { CodedError } from '../errors.ts';
import { isSubject, type Principal, type Scope, scopes } from './principal.ts';
import { scopeMissing, tokenRefused } from './refusals.ts';
import type { SecretSource, TokenParties, TokenSources } from './token-sources.ts';

/**
 * Which source checks a token is decided by its algorithm, from lists that share nothing. So a public key is
 * never taken for a secret, and `none` is nowhere.
 */
const secretAlgorithms = ['HS256'];
const jwksAlgorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
];
/** Clocks of the issuer and of this machine may differ so much. */
const clockToleranceSeconds = 5;
const jwksMsMax = 3_000;
/** How long keys are believed since they were read, and what they say of a token: so long a withdrawn one counts. */
const jwksKeptMs = 300_000;
/** A token that names an unknown key makes the keys be read again at most so often. */
const jwksCooldownMs = 30_000;

/** Who a token is for, and until when that may be believed, in milliseconds since 1970. */
export interface CheckedToken {
  principal: Principal;
  /** Its own end, or when the keys it was checked with are to be read again, whichever comes first. */
  believedUntil: number;
}

/** A check of tokens against these sources. It rejects with `unauthenticated`, `forbidden` or `unavailable`. */
export function tokenCheck(sources: TokenSources): (token: string) => Promise<CheckedToken> {
  const { secret, jwks } = sources;
  const key = secret && new TextEncoder().encode(secret.secret);
  const provider = jwks && providerOf(jwks.jwksUrl);
  return async (token) => {
    const algorithm = algorithmOf(token);
    try {
      if (secret && key && secretAlgorithms.includes(algorithm)) {
        return checked((await jwtVerify(token, key, rulesOf(secret, secretAlgorithms))).payload);
      }
      if (jwks && provider && jwksAlgorithms.includes(algorithm)) {
        // Read before the check: keys that are read again meanwhile are not those it may have been checked with.
        const knownUntil = provider.keptUntil();
        const { payload } = await jwtVerify(token, provider.keys, rulesOf(jwks, jwksAlgorithms));
        const { principal, believedUntil } = checked(payload);
        return { principal, believedUntil: Math.min(believedUntil, knownUntil ?? provider.keptUntil() ?? 0) };
      }
    } catch (error) {
      throw refusalOf(error);
    }
    throw tokenRefused('its algorithm is not accepted here');
  };
}

/** The keys of an identity provider, and until when those known now are kept; undefined when they are to be read. */
function providerOf(url: string) {
  // The library writes into it what it read, and when.
  const cache: Partial<ExportedJWKSCache> = {};
  const keys = createRemoteJWKSet(new URL(url), {
    timeoutDuration: jwksMsMax,
    cacheMaxAge: jwksKeptMs,
    cooldownDuration: jwksCooldownMs,
    [jwksCache]: cache as ExportedJWKSCache,
  });
  const keptUntil = () => (keys.fresh ? (cache.uat ?? 0) + jwksKeptMs : undefined);
  return { keys, keptUntil };
}

function algorithmOf(token: string): string {
  try {
    return String(decodeProtectedHeader(token).alg);
  } catch (error) {
    throw tokenRefused('it is not a token', error);
  }
}

function rulesOf({ issuer, audience }: TokenParties, algorithms: string[]) {
  const requiredClaims = ['exp', 'sub'];
  return { issuer, audience, algorithms, requiredClaims, clockTolerance: clockToleranceSeconds };
}

/** The principal of claims whose signature, parties and times are right. */
function checked(claims: JWTPayload): CheckedToken {
  const granted = scopesIn(claims);
  const scope = granted.includes('operator') ? 'operator' : granted.includes('user') ? 'user' : undefined;
  if (scope === undefined) throw scopeMissing('user operator');
  if (!isSubject(claims.sub, scope)) throw tokenRefused('its sub is not the id of a user');
  return { principal: { subject: claims.sub, scope }, believedUntil: (claims.exp ?? 0) * 1_000 };
}

/** Scopes as RFC 8693 writes them, in one text, and as some providers do, in a list `scp`. */
function scopesIn(claims: JWTPayload): string[] {
  const { scope, scp } = claims as { scope?: unknown; scp?: unknown };
  const texts = [scope, scp].flat().filter((text) => typeof text === 'string');
  return texts.flatMap((text) => text.split(' '));
}

function refusalOf(error: unknown): CodedError {
  if (error instanceof CodedError) return error;
  if (error instanceof errors.JWTExpired) return tokenRefused('it has expired', error);
  if (error instanceof errors.JWTClaimValidationFailed) {
    return tokenRefused(`its claim ${error.claim} is not what it must be here`, error);
  }
  const keyIsUnclear = error instanceof errors.JWKSMultipleMatchingKeys;
  if (keyIsUnclear || error instanceof errors.JWKSNoMatchingKey) {
    return tokenRefused('the identity provider has no such key', error);
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) {
    return tokenRefused('its signature is wrong', error);
  }
  // What is left of a token's own faults: not three parts, not JSON, an unknown critical header …
  const aboutToken = [
    errors.JWTInvalid,
    errors.JWSInvalid,
    errors.JOSENotSupported,
    errors.JOSEAlgNotAllowed,
  ];
  if (aboutToken.some((kind) => error instanceof kind)) {
    return tokenRefused('it is not a token', error);
  }
  const detail =
    'The identity provider does not answer, so the token cannot be checked. Try again in a moment.';
  return new CodedError('unavailable', detail, { cause: error });
}

/** Signs a token for a user or an operator. */
export function signToken(
  source: SecretSource,
  token: { subject: string; scope: Scope; seconds: number },
): Promise<string> {
  const now = Math.floor(Date.now() / 1_000);
  return new SignJWT({ scope: token.scope })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setSubject(token.subject)
    .setIssuer(source.issuer)
    .setAudience(source.audience)
    .setIssuedAt(now)
    .setExpirationTime(now + token.seconds)
    .sign(new TextEncoder().encode(source.secret));
}

/** Whether the text is a scope. */
export function isScope(text: string): text is Scope {
  return (scopes as readonly string[]).includes(text);
}
