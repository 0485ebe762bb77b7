import type { Metadata } from "next";
import type { ReactNode } from "react";

import "@xterm/xterm/css/xterm.css";
import "./globals.css";

export const metadata: Metadata = { title: "Terminal", referrer: "no-referrer", icons: "data:," };

export default function Layout({ children }: { children: ReactNode }) {
  return (
    <html lang="en">
      <body>{children}</body>
    </html>
  );
}
