/** What a terminal has printed, by offset; see `protocol.ts`. */

/** Code units that are kept. */
const KEPT = 256 * 1024;

/** What JSON writes as a backslash and one more letter. */
const SHORT = new Set('"\\\b\f\n\r\t');

/** A piece of the text. */
export interface Piece {
  /** Where it begins. */
  offset: number;
  data: string;
  /** Code units between what was asked for and `offset` that are not kept any more. */
  skipped: number;
  /** The offset behind it. */
  next: number;
}

export class Transcript {
  #text = "";
  #start = 0;

  /** The offset behind all of it. */
  get end(): number {
    return this.#start + this.#text.length;
  }

  append(text: string): void {
    this.#text += text;
    // A quarter more than is kept, so that not every piece moves the text.
    if (this.#text.length <= KEPT * 1.25) return;
    let cut = this.#text.length - KEPT;
    const line = this.#text.indexOf("\n", cut);
    if (line >= 0 && line < cut + 4096) cut = line + 1;
    if (isSecondHalf(this.#text, cut)) cut += 1;
    this.#text = this.#text.slice(cut);
    this.#start += cut;
  }

  /** The text from an offset on, up to `bytes` of JSON. An offset that lies ahead is taken for the end. */
  read(from: number, bytes: number): Piece {
    const offset = Math.min(Math.max(from, this.#start), this.end);
    const data = fitting(this.#text.slice(offset - this.#start, offset - this.#start + bytes), bytes);
    return { offset, data, skipped: Math.max(0, offset - from), next: offset + data.length };
  }

  /** The last lines, up to so many code units. */
  tail(most: number): string {
    if (this.#text.length <= most) return this.#text;
    const cut = this.#text.length - most;
    return this.#text.slice(this.#text.indexOf("\n", cut) + 1 || cut + Number(isSecondHalf(this.#text, cut)));
  }
}

/** The longest beginning that takes no more than `bytes` as JSON, and cuts no character in two. */
function fitting(text: string, bytes: number): string {
  let size = 0;
  let end = 0;
  for (const letter of text) {
    const code = letter.codePointAt(0) ?? 0;
    if (SHORT.has(letter)) size += 2;
    else if (code < 0x20) size += 6;
    else if (code < 0x80) size += 1;
    else size += code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    if (size > bytes) break;
    end += letter.length;
  }
  const last = text.charCodeAt(end - 1);
  return text.slice(0, last >= 0xd800 && last < 0xdc00 ? end - 1 : end);
}

function isSecondHalf(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code >= 0xdc00 && code < 0xe000;
}
