// A client of npm's MCP SDK: takes {name, arguments} a line, or {} for the tool list, and answers a line.

import { createInterface } from "node:readline";

const { package: line, mode, url, stdio } = JSON.parse(process.argv[2]);

async function load() {
  if (line === "sdk") {
    const { Client } = await import("@modelcontextprotocol/sdk/client/index.js");
    const { StreamableHTTPClientTransport } = await import("@modelcontextprotocol/sdk/client/streamableHttp.js");
    const { StdioClientTransport } = await import("@modelcontextprotocol/sdk/client/stdio.js");
    return { Client, StreamableHTTPClientTransport, StdioClientTransport };
  }
  const { StdioClientTransport } = await import("@modelcontextprotocol/client/stdio");
  return { ...await import("@modelcontextprotocol/client"), StdioClientTransport };
}

const { Client, StreamableHTTPClientTransport, StdioClientTransport } = await load();
const versionNegotiation = { mode: mode === "legacy" ? "legacy" : { pin: mode } };
const client = new Client({ name: "foreign", version: "1" }, { versionNegotiation });
await client.connect(url ? new StreamableHTTPClientTransport(new URL(url)) : new StdioClientTransport(stdio));

for await (const question of createInterface({ input: process.stdin })) {
  const call = JSON.parse(question);
  // Both lines check an answer against the tool's output schema once they have listed the tools.
  const answer = call.name ? await client.callTool(call) : (await client.listTools()).tools;
  console.log(JSON.stringify(answer));
}
await client.close();
