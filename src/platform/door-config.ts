import { isIP } from 'node:net';
import { CodedError } from './errors.ts';
import { type JwksSource, ownParties, type SecretSource, secretBytesMin } from './identity/token-sources.ts';

/** The variables that say whom the gateway lets in, and how. */
export const doorVariables = {
  TILLBOX_AUTH_SECRET: `signs and checks bearer tokens (HS256), ${secretBytesMin} bytes or more; set, every request needs a token`,
  TILLBOX_AUTH_JWKS_URL:
    'keys of an identity provider whose bearer tokens are accepted; needs the issuer and the audience',
  TILLBOX_AUTH_ISSUER: 'the `iss` of tokens that count (default with a secret: tillbox)',
  TILLBOX_AUTH_AUDIENCE: 'the `aud` of tokens that count (default with a secret: tillbox)',
  TILLBOX_TOKEN:
    'the bearer token the command line sends (default, while tillbox up runs in TILLBOX_HOME, to that alone: the file `token` in there)',
  TILLBOX_GATEWAY_SECRET:
    'what gateway and services recognise each other by, 32 bytes or more (default: tillbox up makes one at each start; daemons started one by one share one of TILLBOX_HOME)',
  TILLBOX_TLS_CERT: "file with the gateway's certificate and its chain (PEM)",
  TILLBOX_TLS_KEY: 'file with its private key (PEM)',
  TILLBOX_TRUST_PROXY:
    'addresses or networks of proxies that do TLS in front of the gateway, comma-separated, such as 10.0.0.0/8',
  TILLBOX_ALLOWED_HOSTS:
    'names the gateway is reached by, of a container too, comma-separated (localhost, addresses and GATEWAY_HOST always are)',
  TILLBOX_CORS_ORIGINS:
    'origins whose pages may call the gateway, comma-separated, such as https://shop.example (default: none)',
  TILLBOX_RATE_PER_TOKEN: 'requests a second of one user, 0 for no limit (default: 100)',
  TILLBOX_RATE_PER_ADDRESS:
    'requests a second from one address, 0 for no limit (default: 500; none from this machine itself)',
} as const;
type DoorVariable = keyof typeof doorVariables;

/** A network: an address and the length of its prefix. */
export interface Network {
  address: string;
  prefix: number;
  family: 'ipv4' | 'ipv6';
}

/** Whom the gateway lets in, and how. */
export interface DoorConfig {
  /** Where tokens may come from. With neither the gateway is open, and listens on this machine alone. */
  secret: SecretSource | undefined;
  jwks: JwksSource | undefined;
  gatewaySecret: string | undefined;
  /** Files. */
  tls: { certificate: string; key: string } | undefined;
  trustedProxies: Network[];
  /** In lower case. */
  allowedHosts: string[];
  corsOrigins: string[];
  /** Requests a second; 0 is no limit. Undefined: the default. */
  ratePerToken: number | undefined;
  ratePerAddress: number | undefined;
}

/** How a variable's value is read, and refused: by a sentence that goes on behind the variable's name. */
export interface VariableReader<Name extends string> {
  text(name: Name): string | undefined;
  refuse(name: Name, message: string): void;
}

/** Reads the variables of the door. Values that may be secrets are never repeated. */
export function readDoorConfig(reader: VariableReader<DoorVariable>): DoorConfig {
  const { text } = reader;
  const list = (name: DoorVariable) => (text(name) ?? '').split(',').map((item) => item.trim());
  return {
    ...readSources(reader),
    gatewaySecret: readSecret(reader, 'TILLBOX_GATEWAY_SECRET'),
    tls: readTls(reader),
    trustedProxies: list('TILLBOX_TRUST_PROXY').flatMap((item) =>
      item === '' ? [] : readNetwork(reader, item),
    ),
    allowedHosts: list('TILLBOX_ALLOWED_HOSTS').flatMap((item) =>
      item === '' ? [] : readHost(reader, item),
    ),
    corsOrigins: list('TILLBOX_CORS_ORIGINS').flatMap((item) =>
      item === '' ? [] : readOrigin(reader, item),
    ),
    ratePerToken: readRate(reader, 'TILLBOX_RATE_PER_TOKEN'),
    ratePerAddress: readRate(reader, 'TILLBOX_RATE_PER_ADDRESS'),
  };
}

function readSources(reader: VariableReader<DoorVariable>): Pick<DoorConfig, 'secret' | 'jwks'> {
  const { text, refuse } = reader;
  const secret = readSecret(reader, 'TILLBOX_AUTH_SECRET');
  const issuer = text('TILLBOX_AUTH_ISSUER');
  const audience = text('TILLBOX_AUTH_AUDIENCE');
  const jwksUrl = text('TILLBOX_AUTH_JWKS_URL');
  if (jwksUrl !== undefined) {
    if (!isSafeUrl(jwksUrl)) refuse('TILLBOX_AUTH_JWKS_URL', 'must be an URL that begins with https://');
    // A provider signs tokens for others too: only these two tell ours from theirs.
    const why = 'must be set with TILLBOX_AUTH_JWKS_URL, as the identity provider writes it into its tokens';
    if (issuer === undefined) refuse('TILLBOX_AUTH_ISSUER', why);
    if (audience === undefined) refuse('TILLBOX_AUTH_AUDIENCE', why);
  }
  const parties = { issuer: issuer ?? ownParties.issuer, audience: audience ?? ownParties.audience };
  return {
    secret: secret === undefined ? undefined : { secret, ...parties },
    jwks: jwksUrl === undefined ? undefined : { jwksUrl, ...parties },
  };
}

/** Keys that came in the clear could be anybody's, except from this machine. */
function isSafeUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname } = new URL(text);
  return protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname));
}

function readSecret(reader: VariableReader<DoorVariable>, name: DoorVariable): string | undefined {
  const value = reader.text(name);
  if (value !== undefined && Buffer.byteLength(value) < secretBytesMin) {
    reader.refuse(name, `must have ${secretBytesMin} bytes or more; openssl rand -base64 48 makes one`);
  }
  return value;
}

function readTls({ text, refuse }: VariableReader<DoorVariable>): DoorConfig['tls'] {
  const certificate = text('TILLBOX_TLS_CERT');
  const key = text('TILLBOX_TLS_KEY');
  if (certificate !== undefined && key !== undefined) return { certificate, key };
  if (certificate !== undefined) refuse('TILLBOX_TLS_KEY', 'must be set with TILLBOX_TLS_CERT');
  if (key !== undefined) refuse('TILLBOX_TLS_CERT', 'must be set with TILLBOX_TLS_KEY');
  return undefined;
}

function readNetwork({ refuse }: VariableReader<DoorVariable>, text: string): Network[] {
  const [address = '', length, ...rest] = text.split('/');
  const version = isIP(address);
  const prefixMax = version === 4 ? 32 : 128;
  const prefix = length === undefined ? prefixMax : /^\d{1,3}$/.test(length) ? Number(length) : Number.NaN;
  if (version === 0 || !(prefix <= prefixMax) || rest.length > 0) {
    refuse('TILLBOX_TRUST_PROXY', `must be addresses or networks such as 10.0.0.0/8, not "${text}"`);
    return [];
  }
  return [{ address, prefix, family: version === 4 ? 'ipv4' : 'ipv6' }];
}

function readHost({ refuse }: VariableReader<DoorVariable>, text: string): string[] {
  if (/^[A-Za-z0-9._-]{1,255}$/.test(text)) return [text.toLowerCase()];
  refuse('TILLBOX_ALLOWED_HOSTS', `must be host names without port such as shop.example, not "${text}"`);
  return [];
}

function readOrigin({ refuse }: VariableReader<DoorVariable>, text: string): string[] {
  if (URL.canParse(text) && new URL(text).origin === text) return [text];
  refuse('TILLBOX_CORS_ORIGINS', `must be origins such as https://shop.example, not "${text}"`);
  return [];
}

function readRate({ text, refuse }: VariableReader<DoorVariable>, name: DoorVariable): number | undefined {
  const value = text(name);
  if (value === undefined) return undefined;
  if (/^\d{1,7}$/.test(value)) return Number(value);
  refuse(name, `must be a whole number of requests a second, or 0 for no limit, not "${value}"`);
  return undefined;
}

/** Whether only this machine can reach what listens there. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '').toLowerCase();
  return bare === 'localhost' || bare === '::1' || (isIP(bare) === 4 && bare.startsWith('127.'));
}

/** Whether the host stands for every address of this machine. */
export function isWildcard(host: string): boolean {
  return ['0.0.0.0', '::', '[::]', '0:0:0:0:0:0:0:0'].includes(host);
}

/** What is to be set where others may come and nobody is asked who they are. */
const whoAsks =
  'who asks: TILLBOX_AUTH_JWKS_URL with TILLBOX_AUTH_ISSUER and TILLBOX_AUTH_AUDIENCE, for tokens of an identity provider, or TILLBOX_AUTH_SECRET, for tokens of tillbox token';

/**
 * Refuses a gateway that would be open to whoever reaches it. On this machine it may be, unless it is said that others
 * come by way of a proxy here; elsewhere it must know who asks, and the line must be safe.
 * @throws CodedError `usage` that says what to set
 */
export function refuseOpenDoor(host: string, door: DoorConfig, name = 'GATEWAY_HOST'): void {
  const isOpen = door.secret === undefined && door.jwks === undefined;
  if (isLoopback(host)) {
    const opening = letsOthersIn(door).join(' and ');
    if (!isOpen || opening === '') return;
    const detail = `With ${opening} other machines come in by way of a proxy here, and there is missing\n- ${whoAsks}\nSet these, or leave out ${opening}.`;
    throw new CodedError('usage', detail);
  }
  const missing = isOpen ? [whoAsks] : [];
  if (door.tls === undefined && door.trustedProxies.length === 0) {
    missing.push(
      'a safe line: TILLBOX_TLS_CERT and TILLBOX_TLS_KEY, or TILLBOX_TRUST_PROXY with the addresses of the proxy in front that does TLS',
    );
  }
  if (missing.length === 0) return;
  const detail = `${name}=${host} can be reached from other machines, and there is missing\n- ${missing.join('\n- ')}\nSet these, or let ${name} be 127.0.0.1.`;
  throw new CodedError('usage', detail);
}

/** The variables that say that not this machine alone comes to what listens on loopback. */
function letsOthersIn({ trustedProxies, allowedHosts }: DoorConfig): DoorVariable[] {
  const isOwnName = (name: string) => isLoopback(name) || name.endsWith('.localhost');
  return [
    ...(trustedProxies.length > 0 ? (['TILLBOX_TRUST_PROXY'] as const) : []),
    ...(allowedHosts.every(isOwnName) ? [] : (['TILLBOX_ALLOWED_HOSTS'] as const)),
  ];
}
