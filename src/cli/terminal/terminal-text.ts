/**
 * Text of others on a terminal: what could move the cursor, hide or reorder text is made visible. The
 * characters are those of the "Trojan Source" report (CVE-2021-42574) plus all controls and what breaks lines.
 */
const deceptive =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]|\p{Surrogate}/gu;

/** Combining marks with nothing to stand on, or heaped up until they cover other lines: no script needs five. */
const heaped = /^\p{M}|(?<=\p{M}{4})\p{M}/gu;

/** The text with every control, bidirectional and invisible character as an escape such as `\u{202e}`. */
export function visible(text: string): string {
  return text.replace(deceptive, escaped).replace(heaped, escaped);
}

function escaped(character: string): string {
  return `\\u{${character.codePointAt(0)?.toString(16)}}`;
}

/** JSON that is safe to show on a terminal and equal in value to what JSON.stringify gives. */
export function visibleJson(value: unknown, indent?: number): string {
  // What JSON.stringify indents with is the only control character outside of strings.
  return JSON.stringify(value, null, indent).replace(deceptive, (character) =>
    character === '\n' ? character : escapeUnits(character),
  );
}

function escapeUnits(character: string): string {
  return character
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('');
}
