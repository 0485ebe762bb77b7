import type { Paper } from "./line-editor.ts";

export interface Screen extends Paper {
  readonly rows: number;
  focus: () => void;
  dispose: () => void;
}

export interface ScreenEvents {
  onData: (data: string) => void;
  onSize: (cols: number, rows: number) => void;
}

/** An xterm.js terminal that fills an element. */
export async function openScreen(element: HTMLElement, events: ScreenEvents): Promise<Screen> {
  // It needs a window, which the build of the page has not.
  const [{ Terminal }, { FitAddon }] = await Promise.all([import("@xterm/xterm"), import("@xterm/addon-fit")]);
  const terminal = new Terminal({
    convertEol: true,
    cursorBlink: true,
    fontFamily: "ui-monospace, Menlo, Consolas, monospace",
    fontSize: 14,
    theme: { background: "#11151a", foreground: "#d7dde5" },
  });
  const fit = new FitAddon();
  terminal.loadAddon(fit);
  terminal.onData(events.onData);
  terminal.onResize(({ cols, rows }) => {
    events.onSize(cols, rows);
  });
  terminal.open(element);
  fit.fit();
  const observer = new ResizeObserver(() => {
    fit.fit();
  });
  observer.observe(element);
  return {
    get cols() {
      return terminal.cols;
    },
    get rows() {
      return terminal.rows;
    },
    write: (text) => {
      terminal.write(text);
    },
    focus: () => {
      terminal.focus();
    },
    dispose: () => {
      observer.disconnect();
      terminal.dispose();
    },
  };
}
