/** What the editor draws on. */
export interface Paper {
  readonly cols: number;
  write: (text: string) => void;
}

const CONTROL = /[^\P{Cc}]/gu;

/** A line that is typed after a prompt: cursor keys, history, paste. Letters count as one column each. */
export class LineEditor {
  /** Whether a prompt is shown. */
  shown = false;
  #prompt = "$ ";
  #letters: string[] = [];
  #cursor = 0;
  /** The row, from the prompt's, in which the cursor was left. */
  #row = 0;
  readonly #history: string[] = [];
  #place = 0;

  constructor(
    private readonly paper: Paper,
    private readonly onLine: (line: string) => void,
  ) {}

  show(prompt: string): void {
    this.#prompt = prompt;
    this.shown = true;
    this.#row = 0;
    this.#draw();
  }

  /** Takes prompt and line off the screen; what was typed is kept for the next prompt. */
  hide(): void {
    if (!this.shown) return;
    this.paper.write(this.#home());
    this.shown = false;
  }

  /** What the terminal got from keyboard or clipboard. */
  feed(data: string): void {
    switch (data) {
      case "\x7f":
      case "\b":
        if (this.#cursor > 0) this.#letters.splice(--this.#cursor, 1);
        break;
      case "\x1b[3~":
        this.#letters.splice(this.#cursor, 1);
        break;
      case "\x1b[D":
        this.#cursor = Math.max(0, this.#cursor - 1);
        break;
      case "\x1b[C":
        this.#cursor = Math.min(this.#letters.length, this.#cursor + 1);
        break;
      case "\x1b[H":
      case "\x01":
        this.#cursor = 0;
        break;
      case "\x1b[F":
      case "\x05":
        this.#cursor = this.#letters.length;
        break;
      case "\x1b[A":
        this.#recall(-1);
        break;
      case "\x1b[B":
        this.#recall(1);
        break;
      case "\x15":
        this.#letters.splice(0, this.#cursor);
        this.#cursor = 0;
        break;
      case "\x0c":
        this.paper.write("\x1b[2J\x1b[H");
        this.#row = 0;
        break;
      case "\x03":
        this.#set("");
        break;
      default:
        this.#insert(data);
    }
    if (this.shown) this.#draw();
  }

  #insert(data: string): void {
    if (data.startsWith("\x1b")) return;
    const lines = data.split(/\r\n|\r|\n/u);
    lines.forEach((text, at) => {
      const letters = Array.from(text.replaceAll(CONTROL, ""));
      this.#letters.splice(this.#cursor, 0, ...letters);
      this.#cursor += letters.length;
      if (at < lines.length - 1) this.#enter();
    });
  }

  #enter(): void {
    if (!this.shown) return;
    this.#cursor = this.#letters.length;
    this.#draw();
    this.paper.write("\r\n");
    const line = this.#letters.join("");
    if (line.trim() !== "") this.#history.push(line);
    this.#set("");
    this.shown = false;
    this.onLine(line);
  }

  #recall(step: number): void {
    const place = Math.max(0, Math.min(this.#history.length, this.#place + step));
    const line = this.#history[place] ?? "";
    this.#set(line);
    this.#place = place;
  }

  #set(line: string): void {
    this.#letters = Array.from(line);
    this.#cursor = this.#letters.length;
    this.#place = this.#history.length;
  }

  /** To the start of the prompt, with everything after it gone. */
  #home(): string {
    return (this.#row > 0 ? `\x1b[${this.#row}A` : "") + "\r\x1b[J";
  }

  #draw(): void {
    const { cols } = this.paper;
    const width = Array.from(this.#prompt).length;
    const end = width + this.#letters.length;
    const at = width + this.#cursor;
    let text = this.#home() + this.#prompt + this.#letters.join("");
    // A full row leaves the cursor in its last column until something follows.
    if (end % cols === 0) text += "\r\n";
    const up = Math.floor(end / cols) - Math.floor(at / cols);
    if (up > 0) text += `\x1b[${up}A`;
    text += "\r" + (at % cols > 0 ? `\x1b[${(at % cols)}C` : "");
    this.#row = Math.floor(at / cols);
    this.paper.write(text);
  }
}
