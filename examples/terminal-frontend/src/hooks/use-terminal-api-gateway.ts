// The React hook; needs `gateway-socket.mjs` beside it. With Next.js the URL is found by itself, elsewhere pass `url`.

import { useCallback, useEffect, useRef, useState } from "react";

import { GatewaySocket } from "./gateway-socket.mjs";
import type { Closed, Connected, Message, Options, State, TokenProvider, Trouble } from "./gateway-socket.mjs";

/** Bundlers write the value in here; there is no `process` in a browser. */
declare const process: { env: { NEXT_PUBLIC_WS_URL?: string } };

export interface TerminalOptions {
  /** May be left out where the token names the session. */
  sessionId?: string | undefined;
  /** A JWT, or a function that gets one, which is asked for a new one at every connection. As long as it is missing, nothing is connected. */
  token: string | TokenProvider | null | undefined;
  onMessage?: (message: Message) => void;
  /** `first`, `again` (after a break) or `rollover` (the session went on without one). */
  onConnect?: (how: Connected) => void;
  onDisconnect?: (closed: Closed) => void;
  onError?: (trouble: Trouble) => void;
  /** Without it, `NEXT_PUBLIC_WS_URL`. */
  url?: string | undefined;
  /** What else the connection can do: `tokenIn`, `credential`, `parts`, `timing` ... */
  socket?: Omit<Options, "url" | "token" | "sessionId">;
}

export interface Terminal {
  isConnected: boolean;
  /** `false`: there is no connection; the command was not sent. */
  executeCommand: (command: string) => boolean;
  resizeTerminal: (cols: number, rows: number) => boolean;
  /** What went wrong last; `null` as soon as something goes well. */
  error: string | null;
  /** Where the connection is, for people. */
  state: State;
  /** Sends any other message. */
  send: (message: Message) => boolean;
}

const IDLE: State = { phase: "idle", text: "not connected" };

/** A terminal behind API Gateway. Connections come and go; the session stays. */
export function useTerminalApiGateway(options: TerminalOptions): Terminal {
  const { url = process.env.NEXT_PUBLIC_WS_URL, sessionId, token } = options;
  const [state, setState] = useState(IDLE);
  const [error, setError] = useState<string | null>(null);
  const socket = useRef<GatewaySocket>(null);
  // The callbacks of the last render, so that a new function of the caller is no reason to connect anew.
  const latest = useRef(options);
  useEffect(() => {
    latest.current = options;
  });

  const ready = Boolean(token) && Boolean(url);
  useEffect(() => {
    if (!ready || !url) return;
    const opened = new GatewaySocket({
      ...latest.current.socket,
      url,
      ...(sessionId === undefined ? {} : { sessionId }),
      token: () => {
        const { token } = latest.current;
        return typeof token === "function" ? token() : (token ?? "");
      },
      onState: setState,
      onMessage: (message) => {
        if (message.type !== "error") setError(null);
        latest.current.onMessage?.(message);
      },
      onConnect: (how) => {
        setError(null);
        console.info("[Terminal] Connected successfully");
        latest.current.onConnect?.(how);
      },
      onDisconnect: (closed) => {
        console.info(`[Terminal] Disconnected: ${closed.code} (${closed.text})`);
        latest.current.onDisconnect?.(closed);
      },
      onError: (trouble) => {
        setError(trouble.message);
        console.warn(`[Terminal] ${trouble.code}: ${trouble.message}`);
        latest.current.onError?.(trouble);
      },
    });
    socket.current = opened;
    opened.start();
    return () => {
      socket.current = null;
      opened.stop();
    };
  }, [ready, url, sessionId]);

  const send = useCallback((message: Message) => socket.current?.send(message) ?? false, []);
  const executeCommand = useCallback((command: string) => send({ action: "sendMessage", type: "command", command }), [send]);
  const resizeTerminal = useCallback((cols: number, rows: number) => send({ action: "resize", type: "resize", cols, rows }), [send]);
  return { isConnected: state.phase === "open", executeCommand, resizeTerminal, error, state, send };
}
