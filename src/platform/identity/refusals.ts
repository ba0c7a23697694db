import { CodedError } from '../errors.ts';

/** The refusals of who is not known or may not, each with the challenge that RFC 6750 has for it. */

const realm = 'Bearer realm="tillbox"';

/** There is no token where one is needed. */
export function tokenMissing(): CodedError {
  const detail =
    'A token is needed: send Authorization: Bearer TOKEN. At the command line set TILLBOX_TOKEN, for example to what tillbox token prints.';
  return new CodedError('unauthenticated', detail, { headers: { 'www-authenticate': realm } });
}

/** There is a token, and it counts for nothing. `reason` never repeats anything of it. */
export function tokenRefused(reason: string, cause?: unknown): CodedError {
  const detail = `The token is refused: ${reason}. Get a new one.`;
  const challenge = `${realm}, error="invalid_token", error_description="${reason}"`;
  return new CodedError('unauthenticated', detail, { cause, headers: { 'www-authenticate': challenge } });
}

/** The token is good and allows nothing here. */
export function scopeMissing(needed: string): CodedError {
  const detail = `The token does not allow this: it needs the scope ${needed.replace(' ', ' or ')}.`;
  const challenge = `${realm}, error="insufficient_scope", scope="${needed}"`;
  return new CodedError('forbidden', detail, { headers: { 'www-authenticate': challenge } });
}

/** A service was asked by somebody who is not the gateway. */
export function gatewayAlone(): CodedError {
  const detail = 'This service answers the gateway alone. Send the request to the gateway.';
  return new CodedError('unauthenticated', detail, {
    headers: { 'www-authenticate': 'Tillbox-Gateway realm="tillbox"' },
  });
}

/**
 * What belongs to another user is as if it were not there: whoever may not see it must not learn that it is. The
 * same sentence as for an account that nobody created.
 */
export function accountNotFound(userId: string): CodedError {
  const detail = `User ${userId} has no account. Create one first: POST /accounts, or tillbox create-account ${userId}.`;
  return new CodedError('account-not-found', detail);
}

/** Somebody wants to create an account for somebody else: nothing is hidden, because nothing was looked up. */
export function anothersAccount(): CodedError {
  const detail =
    'The token allows to create the account of its own user alone. Others need the scope operator.';
  const challenge = `${realm}, error="insufficient_scope", scope="operator"`;
  return new CodedError('forbidden', detail, { headers: { 'www-authenticate': challenge } });
}
