import type { NextConfig } from "next";

const config: NextConfig = {
  // Files alone, for any static server: there is nothing here that needs one of its own.
  output: "export",
  reactStrictMode: true,
  // Folders further up have lock files of their own.
  turbopack: { root: import.meta.dirname },
};

export default config;
