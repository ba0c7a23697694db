import { isUtf8 } from 'node:buffer';

/** Longest line that is read; the gateway takes no body that large. The rest of a longer one is thrown away. */
export const lineBytesMax = 1024 * 1024;

/** A line of the input, by its number from 1; the text is empty where it is blank, undefined where it is none. */
export interface Line {
  number: number;
  text: string | undefined;
  /** Why there is no text. */
  fault?: 'too-long' | 'not-utf-8';
}

const newline = 0x0a;

/**
 * The lines of a stream, numbered as an editor numbers them. Line ends are LF or CRLF; the
 * last line may have none. Holds one line at most, and no more of that than `lineBytesMax`.
 */
export async function* linesIn(stream: AsyncIterable<Buffer>): AsyncGenerator<Line, void> {
  let parts: Buffer[] = [];
  let bytes = 0;
  let number = 0;
  const keep = (part: Buffer) => {
    bytes += part.length;
    if (bytes <= lineBytesMax) parts.push(part);
    else parts = [];
  };
  const take = (): Line => {
    number += 1;
    const line = lineOf(number, parts, bytes);
    parts = [];
    bytes = 0;
    return line;
  };
  for await (const chunk of stream) {
    let begin = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, begin)) {
      keep(chunk.subarray(begin, end));
      begin = end + 1;
      yield take();
    }
    // A copy, so that a short rest does not hold on to the whole chunk.
    if (begin < chunk.length) keep(Buffer.from(chunk.subarray(begin)));
  }
  if (bytes > 0) yield take();
}

function lineOf(number: number, parts: readonly Buffer[], bytes: number): Line {
  if (bytes > lineBytesMax) return { number, text: undefined, fault: 'too-long' };
  const whole = parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
  if (!isUtf8(whole)) return { number, text: undefined, fault: 'not-utf-8' };
  // A byte order mark is white space to `trim`, as is the CR of a CRLF.
  return { number, text: whole.toString('utf8').trim() };
}
