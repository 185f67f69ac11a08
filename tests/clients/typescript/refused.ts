// What the generated types must refuse. Each marked line fails to compile, or this file does.
import type * as wire from "./voicecall.js";

declare const event: wire.Event;
declare const status: wire.StatusResult;
declare const ready: wire.SidecarReady;

// @ts-expect-error a message is required
export const silent: wire.InitiateParams = { to: "+15550001234" };
// @ts-expect-error modes are a closed set
export const loud: wire.InitiateParams = { message: "Hi.", mode: "loud" };
// @ts-expect-error unknown members are refused
export const misspelt: wire.InitiateParams = { message: "Hi.", dtmfSequenze: "1" };
// @ts-expect-error optional means absent, not null
export const nothing: wire.ShutdownParams = { drainMs: null };
// @ts-expect-error an integer is no text
export const text: wire.AckParams = { seq: "5" };
// @ts-expect-error only some events speak
export const spoken: string = event.text;
// @ts-expect-error partial speech has no seq
export const seq: number = event.seq;
// @ts-expect-error there may be no call
export const call: wire.CallRecord = status.call;
// @ts-expect-error there may be no public address
export const address: string = ready.publicUrl;

if (event.type === "call.utterance") {
  // @ts-expect-error outcomes are a closed set
  export_(event.outcome === "lost");
}

function export_(value: boolean): boolean {
  return value;
}
