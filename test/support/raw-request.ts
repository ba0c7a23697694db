import { connect } from 'node:net';

/** An answer as it came over the socket; status 0 when there was none. */
export interface RawAnswer {
  status: number;
  /** Names in lower case. */
  headers: Record<string, string>;
  text: string;
}

/**
 * Sends exactly these bytes to an HTTP server, such as no client would, and reads until the server closes
 * the connection.
 */
export function sendBytes(url: string, bytes: string | Buffer): Promise<RawAnswer> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write(bytes));
    let received = '';
    socket.setEncoding('utf8').setTimeout(20_000, () => socket.destroy(new Error('no answer in 20 s')));
    socket.on('data', (text) => {
      received += text;
    });
    // A server that refuses before it has read everything may reset the connection behind its answer.
    socket.once('error', (error) => (received === '' ? reject(error) : undefined));
    socket.once('close', () => resolve(parse(received)));
  });
}

/** Sends one request whose every byte is given: headers may be repeated, the path is sent as it is. */
export function sendRequest(
  url: string,
  request: {
    method: string;
    path: string;
    headers?: readonly (readonly [string, string])[];
    body?: string | Buffer;
    host?: string;
  },
): Promise<RawAnswer> {
  const { method, path, headers = [], body, host = 'localhost' } = request;
  const length = body === undefined ? [] : [['Content-Length', String(Buffer.byteLength(body))] as const];
  const all = [['Host', host] as const, ['Connection', 'close'] as const, ...length, ...headers];
  const head = `${method} ${path} HTTP/1.1\r\n${all.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
  return sendBytes(url, Buffer.concat([Buffer.from(head, 'latin1'), Buffer.from(body ?? '')]));
}

function parse(received: string): RawAnswer {
  const end = received.indexOf('\r\n\r\n');
  const [first = '', ...lines] = received.slice(0, end).split('\r\n');
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  return {
    status: Number(first.split(' ')[1] ?? 0),
    headers: Object.fromEntries(headers),
    text: received.slice(end + 4),
  };
}
