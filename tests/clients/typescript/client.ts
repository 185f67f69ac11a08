// A client written against the generated types alone. It starts the sidecar given on its command
// line, holds one short call on the mock line, and prints what it saw as one JSON document.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type * as wire from "./voicecall.js";

interface Methods {
  initialize: { params: wire.InitializeParams; result: wire.InitializeResult };
  "voicecall.initiate": { params: wire.InitiateParams; result: wire.InitiateResult };
  "voicecall.continue": { params: wire.ContinueParams; result: wire.ContinueResult };
  "voicecall.end": { params: wire.EndParams; result: wire.EndResult };
  "voicecall.status": { params: wire.StatusParams; result: wire.StatusResult };
  "events.ack": { params: wire.AckParams; result: wire.EmptyResult };
}

interface Message {
  id?: number;
  method?: string;
  params?: unknown;
  result?: unknown;
  error?: wire.ErrorObject;
}

/** What one event says, for the summary; exhaustive, so that a new type fails to compile here. */
function told(event: wire.Event): string {
  switch (event.type) {
    case "call.speaking":
      return event.text;
    case "call.utterance":
      return `${event.outcome} ${event.heardMs + 0}`;
    case "call.speech":
      return event.transcript;
    case "call.partial":
      return event.transcript;
    case "call.silence":
      return `${event.durationMs + 0}`;
    case "call.dtmf":
      return event.digits;
    case "call.machine":
      return event.result;
    case "call.turn":
      return `${event.latency.total ?? 0}`;
    case "call.warning":
      return `${event.code}: ${event.message}`;
    case "call.rejected":
      return `${event.reason} ${event.to}`;
    case "call.error":
      return `${event.error} ${event.retryable ? "again" : "for good"}`;
    case "call.ended":
      return `${event.reason} ${event.call.state}`;
    case "pairing.requested":
      return event.code;
    case "sidecar.publicUrl":
      return event.url;
    case "call.initiated":
    case "call.ringing":
    case "call.answered":
    case "call.active":
    case "call.listening":
    case "call.bargeIn":
    case "call.transferred":
      return event.callId;
    case "sidecar.draining":
      return "";
    default:
      return impossible(event);
  }
}

function impossible(event: never): never {
  throw new Error(`unknown event ${JSON.stringify(event)}`);
}

class Client {
  readonly events: wire.Event[] = [];
  readonly ready: Promise<wire.SidecarReady>;
  readonly exited: Promise<number | null>;
  private readonly child;
  private readonly pending = new Map<number, (message: Message) => void>();
  private readonly watchers = new Set<() => void>();
  private announce: (ready: wire.SidecarReady) => void = () => {};
  private nextId = 1;

  constructor(command: string, args: string[]) {
    this.child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
    this.exited = new Promise((resolve) => this.child.on("exit", (code) => resolve(code)));
    this.ready = new Promise((resolve) => (this.announce = resolve));
    createInterface({ input: this.child.stdout }).on("line", (line) =>
      this.read(JSON.parse(line) as Message),
    );
  }

  async call<M extends keyof Methods>(
    method: M,
    params: Methods[M]["params"],
  ): Promise<Methods[M]["result"]> {
    const id = this.nextId++;
    const answer = new Promise<Message>((resolve) => this.pending.set(id, resolve));
    this.child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`);
    const message = await answer;
    if (message.error) {
      throw new Error(`${message.error.data.kind}: ${message.error.message}`);
    }
    return message.result as Methods[M]["result"];
  }

  async until<T extends wire.Event["type"]>(type: T): Promise<Extract<wire.Event, { type: T }>> {
    for (;;) {
      const found = this.events.find((event) => event.type === type);
      if (found) {
        return found as Extract<wire.Event, { type: T }>;
      }
      await new Promise<void>((resolve) => this.watchers.add(resolve));
    }
  }

  close(): Promise<number | null> {
    this.child.stdin.end();
    return this.exited;
  }

  private read(message: Message): void {
    if (message.method === "sidecar.ready") {
      this.announce(message.params as wire.SidecarReady);
    } else if (message.method === "voicecall.event") {
      this.events.push(message.params as wire.Event);
      for (const wake of this.watchers) {
        wake();
      }
      this.watchers.clear();
    } else if (message.id !== undefined) {
      this.pending.get(message.id)?.(message);
    }
  }
}

async function main(): Promise<void> {
  const [command, ...args] = process.argv.slice(2);
  if (command === undefined) {
    throw new Error("name the sidecar's command");
  }
  const client = new Client(command, args);
  const ready = await client.ready;
  const hello = await client.call("initialize", {
    protocolVersion: ready.protocolVersion,
    client: { name: "typescript", version: "1" },
    capabilities: { events: { since: ready.lastSeq, streamId: ready.streamId } },
  });
  const { callId } = await client.call("voicecall.initiate", {
    message: "Your table is booked.",
    to: "+15550001234",
    mode: "conversation",
    metadata: { order: null },
  });
  await client.until("call.active");
  const answer = await client.call("voicecall.continue", { callId, message: "At seven?" });
  const status = await client.call("voicecall.status", { callId });
  await client.call("voicecall.end", { callId });
  const ended = await client.until("call.ended");
  await client.call("events.ack", { seq: ended.seq });
  const exitCode = await client.close();
  const seqs = client.events.flatMap((event) => ("seq" in event ? [event.seq] : []));
  console.log(
    JSON.stringify({
      resync: hello.resync,
      transcript: answer.transcript,
      metadata: status.call?.metadata,
      reason: ended.reason,
      state: ended.call.state,
      types: client.events.map((event) => event.type),
      told: client.events.map(told),
      consecutive: seqs.every((seq, index) => seq === ready.lastSeq + index + 1),
      exitCode,
    }),
  );
}

await main();
