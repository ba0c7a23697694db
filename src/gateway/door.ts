import type { IncomingMessage } from 'node:http';
import {
  type ClientAddresses,
  clientAddresses,
  countedAddress,
  isOfThisMachine,
} from '../platform/client-address.ts';
import { type DoorConfig, isLoopback } from '../platform/door-config.ts';
import { CodedError } from '../platform/errors.ts';
import { hostCheck } from '../platform/hosts.ts';
import { BelievedTokens } from '../platform/identity/believed-tokens.ts';
import { anyone, type Principal } from '../platform/identity/principal.ts';
import { tokenMissing } from '../platform/identity/refusals.ts';
import type { SecretSource } from '../platform/identity/token-sources.ts';
import { tokenCheck } from '../platform/identity/tokens.ts';
import { type Allowance, RateLimit, rateLimitHeaders } from '../platform/rate-limit.ts';

/** Requests a second, unless others are configured. */
const perTokenDefault = 100;
const perAddressDefault = 500;

/** What a door needs to know. */
export interface DoorSettings {
  config: DoorConfig;
  /** The host the gateway listens on. */
  host: string;
  /** The home's secret: where none is configured, tokens signed with it count, for nobody else could. */
  localSecret: SecretSource | undefined;
}

/** A request that came by the right way, and not too often. */
export interface Arrival {
  /** Whose requests are counted together by where they come from; undefined for who is not limited by it. */
  address: string | undefined;
  /** What was taken of the address's limit, if there is one. */
  taken: readonly Taken[];
}

/** A request that was let in. */
export interface Visit {
  principal: Principal;
  /** Whose requests are counted together; undefined for who is not limited. */
  countedAs: string | undefined;
  /** For the answer. */
  headers: Readonly<Record<string, string>>;
}

const noHeaders = Object.freeze({});
const unlimited: Visit = Object.freeze({ principal: anyone, countedAs: undefined, headers: noHeaders });
type Taken = { limit: RateLimit; allowance: Allowance };
const nothingTaken: readonly Taken[] = Object.freeze([]);

/**
 * What every request passes before its route and its body are looked at: for which host it is, where it comes from,
 * how often, and who asks.
 */
export class Door {
  readonly #isOurHost: (host: string | undefined) => boolean;
  readonly #addresses: ClientAddresses;
  /** Whether plain connections are for the proxies alone. */
  readonly #byProxyAlone: boolean;
  readonly #tokens: BelievedTokens | undefined;
  /** Whether every request needs a token. */
  readonly tokenRequired: boolean;
  readonly #perToken: RateLimit | undefined;
  readonly #perAddress: RateLimit | undefined;
  /** This machine's own clients are limited only if somebody said so. */
  readonly #limitsOwnMachine: boolean;
  /** Without any of it there is nothing to do but to look at the host. */
  readonly #looksAtAddresses: boolean;

  constructor({ config, host, localSecret }: DoorSettings) {
    this.#isOurHost = hostCheck([...config.allowedHosts, host.toLowerCase()]);
    this.#addresses = clientAddresses(config.trustedProxies);
    this.#byProxyAlone = config.tls === undefined && config.trustedProxies.length > 0;
    const secret = config.secret ?? localSecret;
    this.tokenRequired = config.secret !== undefined || config.jwks !== undefined;
    this.#tokens =
      secret === undefined && config.jwks === undefined
        ? undefined
        : new BelievedTokens(tokenCheck({ secret, jwks: config.jwks }));
    this.#perToken = limitOf('token', config.ratePerToken ?? perTokenDefault);
    this.#perAddress = limitOf('address', config.ratePerAddress ?? perAddressDefault);
    this.#limitsOwnMachine = config.ratePerAddress !== undefined;
    const onlyOwnMachine = isLoopback(host) && !this.#limitsOwnMachine;
    this.#looksAtAddresses = config.trustedProxies.length > 0 || !onlyOwnMachine;
  }

  /**
   * Counts a request by its address, and refuses one for somebody else's host, or that goes round the proxy.
   * @param now performance.now()
   * @throws CodedError `rate-limited`, `misdirected` or `forbidden`
   */
  arrive(request: IncomingMessage, now: number): Arrival {
    const address = this.#looksAtAddresses ? this.#countAddress(request) : undefined;
    const taken =
      address !== undefined && this.#perAddress ? [take(this.#perAddress, address, now)] : nothingTaken;
    this.#checkWay(request);
    return { address, taken };
  }

  #checkWay({ headers, socket }: IncomingMessage): void {
    if (!this.#isOurHost(headers.host)) {
      const detail =
        'The Host header names another host. Whoever runs this gateway lists its names in TILLBOX_ALLOWED_HOSTS.';
      throw new CodedError('misdirected', detail);
    }
    const { remoteAddress = '', localAddress = '' } = socket;
    if (this.#byProxyAlone && !this.#addresses.isTrusted(remoteAddress, localAddress)) {
      throw new CodedError(
        'forbidden',
        'This gateway is reached by way of its proxy alone. Use its public URL.',
      );
    }
  }

  /**
   * Lets in a request that arrived, or refuses it. Answers at once, unless a token comes for the first time.
   * @param now performance.now()
   * @param options.tokenNeeded false for what is the same for everybody
   * @throws CodedError `unauthenticated`, `forbidden`, `rate-limited` or `unavailable`
   */
  admit(
    { address, taken }: Arrival,
    authorization: string | undefined,
    now: number,
    { tokenNeeded } = { tokenNeeded: true },
  ): Visit | Promise<Visit> {
    const principal = tokenNeeded ? this.#principalOf(authorization) : anyone;
    if (principal === anyone) {
      if (address === undefined) return unlimited;
      return { principal: anyone, countedAs: address, headers: headersOf(taken) };
    }
    return principal instanceof Promise
      ? principal.then((checked) => this.#visit(checked, taken, now))
      : this.#visit(principal, taken, now);
  }

  /**
   * Who asks, for a route that anybody may ask but that tells some more; undefined for anybody. Never rejects.
   * @param now performance.now()
   */
  async whoAsks(request: IncomingMessage, now: number): Promise<Principal | undefined> {
    const { authorization } = request.headers;
    // Anybody's question costs nobody a token, nor a place in a limit.
    if (this.tokenRequired && authorization === undefined) return undefined;
    try {
      const known = authorization && this.#tokens?.knownOf(authorization, Date.now());
      if (known) {
        // To look at the system costs next to nothing, and must work in a flood above all.
        this.#checkWay(request);
        return known;
      }
      this.arrive(request, now);
      return await this.#principalOf(authorization);
    } catch {
      return undefined;
    }
  }

  #principalOf(authorization: string | undefined): Principal | Promise<Principal> {
    const isBearer = authorization !== undefined && /^bearer\b/i.test(authorization);
    if (this.#tokens !== undefined && (isBearer || this.tokenRequired)) {
      if (authorization === undefined) throw tokenMissing();
      return this.#tokens.principalOf(authorization, Date.now());
    }
    return anyone;
  }

  /** The limit of a token is a user's: all tokens of a user count together, an operator's do not count. */
  #visit(principal: Principal, before: readonly Taken[], now: number): Visit {
    if (principal.scope === 'operator')
      return { principal, countedAs: undefined, headers: headersOf(before) };
    const taken = this.#perToken ? [...before, take(this.#perToken, principal.subject, now)] : before;
    return { principal, countedAs: principal.subject, headers: headersOf(taken) };
  }

  /** What the client's address counts under; undefined for a client that is not limited by it. */
  #countAddress({ headers, socket }: IncomingMessage): string | undefined {
    const forwarded = headers['x-forwarded-for'];
    const chain = Array.isArray(forwarded) ? forwarded.join(',') : forwarded;
    const address = this.#addresses.clientOf(socket.remoteAddress ?? '', chain);
    return isOfThisMachine(address) && !this.#limitsOwnMachine ? undefined : countedAddress(address);
  }
}

function limitOf(name: string, perSecond: number): RateLimit | undefined {
  return perSecond === 0 ? undefined : new RateLimit(name, perSecond);
}

function take(limit: RateLimit, key: string, now: number): Taken {
  const allowance = limit.take(key, now);
  const taken = { limit, allowance };
  if (allowance.allowed) return taken;
  const detail = `More than ${limit.perSecond} requests a second came from this ${limit.name === 'token' ? 'user' : 'address'}. Nothing was stored; try again in a moment.`;
  throw new CodedError('rate-limited', detail, {
    retryAfterSeconds: allowance.retryAfterSeconds,
    headers: rateLimitHeaders([taken]),
  });
}

/** What depends on who asks must not be kept on the way. */
function headersOf(taken: readonly Taken[]): Record<string, string> {
  return taken.length === 0
    ? { 'cache-control': 'no-store' }
    : { 'cache-control': 'no-store', ...rateLimitHeaders(taken) };
}
