// The hook of an app that opened a WebSocket to its own backend, as it was: the URL that it is given is all that changed.
// It neither pings nor connects anew: `use-terminal-api-gateway.ts` does.

import { useCallback, useEffect, useRef, useState } from "react";

export interface SimpleTerminal {
  isConnected: boolean;
  /** What came, one entry a message. */
  output: string[];
  executeCommand: (command: string) => void;
}

/** `url`: before, `wss://abc123.us-east-1.awsapprunner.com/ws`; now `wss://{api}.execute-api.{region}.amazonaws.com/prod`. */
export function useTerminal(url: string, sessionId: string, token: string): SimpleTerminal {
  const [isConnected, setConnected] = useState(false);
  const [output, setOutput] = useState<string[]>([]);
  const socket = useRef<WebSocket>(null);

  useEffect(() => {
    const opened = new WebSocket(`${url}?sessionId=${encodeURIComponent(sessionId)}&token=${encodeURIComponent(token)}`);
    socket.current = opened;
    opened.onopen = () => {
      setConnected(true);
      console.info("[Terminal] Connected successfully");
    };
    opened.onclose = () => {
      setConnected(false);
    };
    opened.onmessage = ({ data }: MessageEvent<string>) => {
      const message = JSON.parse(data) as { type?: string; output?: string; message?: string };
      setOutput((before) => [...before, message.output ?? message.message ?? data]);
    };
    return () => {
      opened.close();
    };
  }, [url, sessionId, token]);

  const executeCommand = useCallback((command: string) => {
    socket.current?.send(JSON.stringify({ action: "sendMessage", type: "command", command }));
  }, []);
  return { isConnected, output, executeCommand };
}
