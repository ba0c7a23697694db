import { isIP } from 'node:net';

/** Headers remembered as right: a client sends the same one each time. */
const rememberedMax = 1_000;

/**
 * A check of `Host` headers, against pages that make a browser believe this server is theirs (DNS rebinding). For
 * that a page needs a name that it owns and that leads here. Addresses are no such names, and neither is localhost with
 * what ends in it (RFC 6761); every other one must be on the list, also without a dot: in a local network whoever
 * answers first (LLMNR, NetBIOS, a name given to DHCP) owns it.
 * @param allowed names in lower case
 */
export function hostCheck(allowed: readonly string[]): (host: string | undefined) => boolean {
  const names = new Set(allowed);
  const remembered = new Set<string>();
  return (host) => {
    // HTTP/1.0 has none, and no browser leaves it out.
    if (host === undefined || remembered.has(host)) return true;
    if (!isAllowed(host, names)) return false;
    if (remembered.size < rememberedMax) remembered.add(host);
    return true;
  };
}

function isAllowed(host: string, names: ReadonlySet<string>): boolean {
  const [, bracketed, plain] = /^(?:\[([^\]]*)\]|([^:]*))(?::\d{1,5})?$/.exec(host) ?? [];
  if (bracketed !== undefined) return isIP(bracketed) === 6;
  if (plain === undefined) return false;
  const name = plain.toLowerCase().replace(/\.$/, '');
  const isLocal = name === 'localhost' || name.endsWith('.localhost');
  return isLocal || isIP(name) === 4 || names.has(name);
}

/** A host as it stands in a URL: an address of IPv6 in brackets. */
export function hostInUrl(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
