/** Where a piece of output stands: `terminal` names the terminal, `offset` counts the UTF-16 code units before the piece. */
export interface Place {
  terminal?: unknown;
  offset?: unknown;
  /** So many code units before `offset` are not kept any more. */
  skipped?: unknown;
}

export interface Piece {
  /** What has not been printed yet. */
  text: string;
  /** Another terminal than before: the session began anew. */
  fresh: boolean;
  /** Code units that nobody will get. */
  skipped: number;
  /** Something before it is missing and can be had: ask for all from `printed` on. */
  gap: boolean;
}

/** Puts the output of a terminal together: what comes twice is printed once, and what is missing is noticed. */
export class OutputStream {
  /** The offset behind what has been printed; `undefined` before the first piece. */
  printed: number | undefined;
  #terminal: string | undefined;

  take(place: Place, text: string): Piece {
    const { terminal, offset, skipped } = place;
    // A backend without offsets sends everything once.
    if (typeof terminal !== "string" || typeof offset !== "number") return { text, fresh: false, skipped: 0, gap: false };
    const fresh = this.#terminal !== undefined && this.#terminal !== terminal;
    if (this.#terminal !== terminal) this.printed = undefined;
    const lost = typeof skipped === "number" ? skipped : 0;
    const printed = this.printed ?? offset;
    if (offset > printed + lost) return { text: "", fresh, skipped: 0, gap: true };
    this.#terminal = terminal;
    this.printed = Math.max(printed, offset + text.length);
    return { text: text.slice(Math.max(0, printed - offset)), fresh, skipped: offset > printed ? offset - printed : 0, gap: false };
  }
}
